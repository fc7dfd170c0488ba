using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Platform.OpenApi;

/// <summary>The API description is made from the code: routes, records and their docs. What a route declares beside its handler travels in extensions to <see cref="ApiDescription"/>.</summary>
internal static class OpenApiSetup
{
    public const string PermissionExtension = "x-permission";
    public const string ErrorsExtension = "x-errors";

    public static void AddApiDescription(this WebApplicationBuilder builder)
    {
        builder.Services.AddOpenApi("v1", options =>
        {
            options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
            options.AddOperationTransformer(Declare);
            options.AddSchemaTransformer(NameTypes);
        });
        builder.Services.AddSingleton<ApiDescription>();
    }

    /// <summary>Types that have a converter of ours (see <see cref="StrictJson"/>, <see cref="Money"/>, <see cref="DollarsConverter"/>) come without a type; the wire form is the usual one.</summary>
    private static Task NameTypes(OpenApiSchema schema, OpenApiSchemaTransformerContext context, CancellationToken cancellationToken)
    {
        var clr = context.JsonTypeInfo.Type;
        if (schema.Type is null && WireType(clr) is { } wire)
        {
            var nullable = Nullable.GetUnderlyingType(clr) is not null || context.JsonPropertyInfo is { IsGetNullable: true };
            schema.Type = nullable ? wire | JsonSchemaType.Null : wire;
        }

        // What a list or a map is made of is left out altogether.
        if (context.JsonTypeInfo.ElementType is { } element && WireType(element) is { } each)
        {
            if (context.JsonTypeInfo.Kind == JsonTypeInfoKind.Enumerable && (schema.Items is null or OpenApiSchema { Type: null }))
            {
                schema.Items = new OpenApiSchema { Type = each };
            }
            else if (context.JsonTypeInfo.Kind == JsonTypeInfoKind.Dictionary && (schema.AdditionalProperties is null or OpenApiSchema { Type: null }))
            {
                schema.AdditionalProperties = new OpenApiSchema { Type = each };
            }
        }

        TakeText(schema, context);
        return Task.CompletedTask;
    }

    private static void TakeText(OpenApiSchema schema, OpenApiSchemaTransformerContext context)
    {
        if (context.JsonTypeInfo.Kind == JsonTypeInfoKind.Enumerable && context.JsonPropertyInfo?.AttributeProvider?.IsDefined(typeof(TextOrListAttribute), inherit: false) == true)
        {
            schema.OneOf = [new OpenApiSchema { Type = JsonSchemaType.Null }, new OpenApiSchema { Type = JsonSchemaType.String }, new OpenApiSchema { Type = JsonSchemaType.Array, Items = schema.Items }];
            (schema.Type, schema.Items) = (null, null);
        }
    }

    private static JsonSchemaType? WireType(Type clr)
    {
        var type = Nullable.GetUnderlyingType(clr) ?? clr;
        return type == typeof(string) || type == typeof(DateTimeOffset) || type == typeof(Money) ? JsonSchemaType.String
            : type == typeof(double) ? JsonSchemaType.Number
            : type == typeof(decimal) ? JsonSchemaType.Number | JsonSchemaType.String
            : null;
    }

    private static Task Declare(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken cancellationToken)
    {
        var metadata = context.Description.ActionDescriptor.EndpointMetadata;
        operation.Extensions ??= new Dictionary<string, IOpenApiExtension>(StringComparer.Ordinal);
        if (metadata.OfType<RoutePermission>().LastOrDefault() is { } permission)
        {
            operation.Extensions[PermissionExtension] = new JsonNodeExtension(JsonValue.Create(permission.Name ?? "public"));
        }

        var declared = metadata.OfType<RouteError>().ToList();
        if (TakesKey(context, metadata, declared) is { } begins)
        {
            operation.Extensions[ApiHeaders.TakesKeyExtension] = new JsonNodeExtension(JsonValue.Create(begins));
            if (!begins)
            {
                declared.Add(new RouteError(409, "idempotency_running", "A request with this Idempotency-Key is still being worked on."));
                declared.Add(new RouteError(422, "idempotency_mismatch", "The Idempotency-Key was used with another body or query."));
            }
        }

        foreach (var (header, extension) in new[] { ("Prefer", ApiHeaders.WaitsExtension), ("Last-Event-ID", ApiHeaders.ResumesExtension) })
        {
            if (metadata.OfType<ReadHeader>().Any(r => r.Name == header))
            {
                operation.Extensions[extension] = new JsonNodeExtension(JsonValue.Create(true));
            }
        }

        var errors = new JsonArray();
        foreach (var error in declared)
        {
            errors.Add(new JsonObject { ["status"] = error.Status, ["code"] = error.Code, ["when"] = error.When });
        }

        operation.Extensions[ErrorsExtension] = new JsonNodeExtension(errors);
        return Task.CompletedTask;
    }

    /// <summary>Whether <c>Idempotency-Key</c> means anything to it, as <see cref="IdempotencyMiddleware"/> has it. True: it begins a run and looks after the key itself.</summary>
    private static bool? TakesKey(OpenApiOperationTransformerContext context, IList<object> metadata, List<RouteError> declared)
    {
        if (context.Description.HttpMethod != HttpMethods.Post || metadata.OfType<RoutePermission>().LastOrDefault()?.Name is null)
        {
            return null;
        }

        return !metadata.OfType<OwnIdempotency>().Any() ? false : declared.Exists(static e => e.Code == "idempotency_mismatch") ? true : null;
    }
}
