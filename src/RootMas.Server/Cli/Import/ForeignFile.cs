using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace RootMas.Server.Cli.Import;

/// <summary>Reads YAML, and JSON which is YAML too, of another system into one kind of tree. Whatever the file holds, the tree is bounded.</summary>
internal static class ForeignFile
{
    private const int MaxBytes = 4 * 1024 * 1024;
    private const int MaxDepth = 64;
    private const int MaxNodes = 200_000;

    /// <exception cref="CliException">It cannot be read, or is not what its name says.</exception>
    public static async Task<string> TextAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            return new FileInfo(path).Length <= MaxBytes
                ? (await File.ReadAllTextAsync(path, new UTF8Encoding(false, throwOnInvalidBytes: true), cancellationToken)).TrimStart('\uFEFF').ReplaceLineEndings("\n")
                : throw new CliException(ExitCodes.Usage, $"{path} is larger than 4 MiB. Nothing was changed.");
        }
        catch (DecoderFallbackException e)
        {
            throw new CliException(ExitCodes.Usage, $"{path} is not UTF-8 text. Convert it first (iconv -t utf-8). Nothing was changed.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliException(ExitCodes.NotFound, $"{path} cannot be read ({e.GetType().Name}). Nothing was changed.", e);
        }
    }

    /// <exception cref="CliException">It is no YAML or JSON, or larger than anything that people write.</exception>
    public static async Task<JsonNode?> TreeAsync(string path, CancellationToken cancellationToken)
    {
        var text = await TextAsync(path, cancellationToken);
        try
        {
            var stream = new YamlStream();
            stream.Load(new StringReader(text));
            var left = MaxNodes; // aliases share nodes: a few lines can unfold without end
            return stream.Documents.Count == 0 ? null : ToJson(stream.Documents[0].RootNode, 0, ref left);
        }
        catch (YamlException e)
        {
            throw new CliException(ExitCodes.Usage, $"{path}: line {e.Start.Line.ToString(CultureInfo.InvariantCulture)} cannot be read: {e.Message} Nothing was changed.", e);
        }
    }

    private static JsonNode? ToJson(YamlNode node, int depth, ref int left)
    {
        if (--left < 0 || depth > MaxDepth)
        {
            throw new YamlException(node.Start, node.End, "this file unfolds into more than anything that a person writes.");
        }

        switch (node)
        {
            case YamlMappingNode map:
                var result = new JsonObject();
                foreach (var (key, value) in map.Children)
                {
                    result[(key as YamlScalarNode)?.Value ?? key.ToString()] = ToJson(value, depth + 1, ref left);
                }

                return result;
            case YamlSequenceNode list:
                var items = new JsonArray();
                foreach (var item in list.Children)
                {
                    items.Add(ToJson(item, depth + 1, ref left));
                }

                return items;
            default:
                return node is YamlScalarNode { Style: ScalarStyle.Plain, Value: null or "" or "~" or "null" } ? null : JsonValue.Create(((YamlScalarNode)node).Value);
        }
    }
}
