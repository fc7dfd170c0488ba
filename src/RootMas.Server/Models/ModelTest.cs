using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Options;
using RootMas.Runtime.Agents;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Models.Pipeline;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Models;

/// <summary>What came of a test call.</summary>
public sealed record ModelTestResponse
{
    /// <summary>Name of the model that was asked.</summary>
    /// <example>gpt-5-mini</example>
    public required string Model { get; init; }

    /// <summary>Name of its provider.</summary>
    /// <example>openai</example>
    public required string Provider { get; init; }

    /// <summary>It answered.</summary>
    /// <example>true</example>
    public required bool Ok { get; init; }

    /// <summary>How long it took, with every repeated request, milliseconds.</summary>
    /// <example>812</example>
    public required double LatencyMs { get; init; }

    /// <summary>Class of the failure: unreachable, timeout, rate_limited, server_error, auth, credit, bad_request, context_length, content_filter, invalid_answer; null: it answered.</summary>
    /// <example>null</example>
    public string? ErrorClass { get; init; }

    /// <summary>What went wrong and what to do; null: it answered.</summary>
    /// <example>null</example>
    public string? Detail { get; init; }

    /// <summary>Tokens that were read.</summary>
    /// <example>14</example>
    public required long InputTokens { get; init; }

    /// <summary>Tokens that were written.</summary>
    /// <example>3</example>
    public required long OutputTokens { get; init; }

    /// <summary>What it cost, US dollars, decimal.</summary>
    public required string CostUsd { get; init; }
}

/// <summary>One tiny real call to one model, so that whoever enters a key or an address sees at once whether it works.</summary>
internal static class ModelTest
{
    private const int CostOfOne = 5;

    /// <summary>Models that reason need room to do so before the first word.</summary>
    private const int OutputOfThinkers = 1_000;

    private const int OutputOfOthers = 16;

    private static readonly TimeSpan AtMost = TimeSpan.FromSeconds(45);

    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapPost("/api/v1/models/{id}/test", TestAsync)
            .RequirePermission("settings:write")
            .Audits("model.test")
            .WithCost(CostOfOne)
            .Refuses(404, "model_not_found", "There is no model of this name.")
            .WithName("TestModel")
            .WithTags("Models")
            .WithSummary("Try a model")
            .WithDescription("Sends one tiny real request through the pipeline to exactly this model, waits at most 45 s, and says how long it took and what it cost, or the class of the failure and what to do. A failure of the model is an answer (ok: false), not an error. It costs a few tokens, which stand in the ledger.");

    private static async Task<Results<Ok<ModelTestResponse>, Problem>> TestAsync(
        [Description("Name of the model, as GET /api/v1/models lists it.")] string id, ModelRouter router, ModelCatalogSource source, IChatClient chat, IEmbeddingGenerator<string, Embedding<float>> embeddings,
        TimeProvider clock, IHostApplicationLifetime lifetime, HttpContext context)
    {
        await source.FollowOthersAsync(context.RequestAborted);
        // Servers call models owner/name: the slash comes encoded.
        if ((router.Current.Find(id) ?? router.Current.Find(Uri.UnescapeDataString(id)))?.Model is not { } model)
        {
            return Problems.NotFound("model_not_found", "There is no model of this name. GET /api/v1/models lists them. A model whose provider has no key is none yet.");
        }

        var call = new ModelCall { OwnerId = context.Caller().UserId, Purpose = "test", Tier = "standard", Model = model.Name, NoCache = true };
        var started = clock.GetTimestamp();
        string? error, detail;
        try
        {
            // The request is paid for, also if whoever asked has left meanwhile: a repeat gets its answer.
            (error, detail) = await TryAsync(model, call, chat, embeddings, clock, lifetime.ApplicationStopping);
        }
        catch (OperationCanceledException)
        {
            await RecordAsync(context, model, "cancelled", null);
            throw;
        }

        var result = new ModelTestResponse
        {
            Model = model.Name,
            Provider = model.Provider.Name,
            Ok = error is null,
            LatencyMs = Math.Round(clock.GetElapsedTime(started).TotalMilliseconds, 1),
            ErrorClass = error,
            Detail = detail,
            InputTokens = call.Usage.InputTokens,
            OutputTokens = call.Usage.OutputTokens,
            CostUsd = call.Cost.ToString(),
        };
        await RecordAsync(context, model, error, result);
        return TypedResults.Ok(result);
    }

    /// <summary>The row of the audit log, and in the same transaction the answer that an <c>Idempotency-Key</c> keeps: nothing can be written any more to a client that has left.</summary>
    private static async Task RecordAsync(HttpContext context, ModelSpec model, string? error, ModelTestResponse? result)
    {
        var write = context.AuditRow(context.Audit("model.test") with
        {
            TargetKind = "model",
            TargetId = model.Name,
            After = new JsonObject { ["ok"] = error is null, ["error_class"] = error },
        });
        var key = context.Idempotency();
        var json = context.RequestServices.GetRequiredService<IOptions<JsonOptions>>().Value.SerializerOptions;
        var database = context.RequestServices.GetRequiredService<IDatabase>();
        await database.WriteAsync(
            async session =>
            {
                await write(session);
                if (key is not null && result is not null)
                {
                    await key.CompleteAsync(session, StoredAnswer.OfJson(StatusCodes.Status200OK, JsonSerializer.Serialize(result, json)));
                }
            },
            CancellationToken.None);
    }

    private static async Task<(string? Error, string? Detail)> TryAsync(
        ModelSpec model, ModelCall call, IChatClient chat, IEmbeddingGenerator<string, Embedding<float>> embeddings, TimeProvider clock, CancellationToken stopping)
    {
        using var timeout = new CancellationTokenSource(AtMost, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, stopping);
        var carried = new AdditionalPropertiesDictionary { [ModelCall.Key] = call };
        try
        {
            if (model.Can(ModelCapabilities.Embeddings))
            {
                await embeddings.GenerateAsync(["ok"], new EmbeddingGenerationOptions { ModelId = model.Name, AdditionalProperties = carried }, either.Token);
            }
            else
            {
                var room = model.Can(ModelCapabilities.Reasoning) ? OutputOfThinkers : OutputOfOthers;
                await chat.GetResponseAsync([new ChatMessage(ChatRole.User, "Answer with the word OK.")], new ChatOptions { MaxOutputTokens = room, AdditionalProperties = carried }, either.Token);
            }

            return (null, null);
        }
        catch (ModelException e)
        {
            return (e.ErrorClass, e.Message);
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested)
        {
            return ("timeout", $"The model did not answer within {AtMost.TotalSeconds:0} seconds.");
        }
    }
}
