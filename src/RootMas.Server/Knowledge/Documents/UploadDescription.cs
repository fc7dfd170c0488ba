using System.Text.Json.Nodes;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace RootMas.Server.Knowledge.Documents;

/// <summary>The body of an upload in the API description: its handler reads it by hand, so nothing else tells of it.</summary>
internal static class UploadDescription
{
    public static Task AddAsync(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken cancellationToken)
    {
        operation.RequestBody = new OpenApiRequestBody
        {
            Required = true,
            Description = "The file.",
            Content = new Dictionary<string, OpenApiMediaType>(StringComparer.Ordinal)
            {
                ["multipart/form-data"] = new() { Schema = Form(), Example = new JsonObject { ["file"] = "# Notes" } },
                ["application/octet-stream"] = new() { Schema = Bytes("The bytes; name and collection stand in the query."), Example = "# Notes" },
            },
        };
        operation.Parameters ??= [];
        operation.Parameters.Add(Query("name", "The document's name, where the body does not give one."));
        operation.Parameters.Add(Query("collection", "The collection, by id; without it one's own default one."));
        return Task.CompletedTask;
    }

    private static OpenApiSchema Form() => new()
    {
        Type = JsonSchemaType.Object,
        Required = new HashSet<string>(StringComparer.Ordinal) { "file" },
        Properties = new Dictionary<string, IOpenApiSchema>(StringComparer.Ordinal)
        {
            ["file"] = Bytes("The file."),
            ["name"] = Text("The document's name; without it the file's."),
            ["collection"] = Text("The collection, by id; without it one's own default one."),
        },
    };

    private static OpenApiSchema Bytes(string description) => new() { Type = JsonSchemaType.String, Format = "binary", Description = description };

    private static OpenApiSchema Text(string description) => new() { Type = JsonSchemaType.String, Description = description };

    private static OpenApiParameter Query(string name, string description) => new() { Name = name, In = ParameterLocation.Query, Description = description, Schema = new OpenApiSchema { Type = JsonSchemaType.String } };
}
