using System.Text;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace RootMas.Server.Models.OpenAi;

/// <summary>
/// Puts tool calls together from their pieces. Pieces belong together by <c>index</c>; but servers leave the index out, send every parallel call under index 0,
/// repeat the name in each piece, and give no id or the same id twice.
/// </summary>
internal sealed class ToolCallAssembler
{
    private readonly List<Call> _calls = [];
    private int _growth;
    private bool _hasMoved;

    public int Count => _calls.Count(c => c.Name.Length > 0);

    /// <summary>The arguments of a call have half a surrogate pair that stands alone.</summary>
    public bool IsCut => _calls.Exists(static c => !PieceText.IsWhole(c.Arguments.ToString()));

    public int TakeGrowth()
    {
        var growth = _growth;
        _growth = 0;
        return growth;
    }

    /// <summary>Since the last call of this, something came: a name is a piece too.</summary>
    public bool TakeMoved()
    {
        var moved = _hasMoved;
        _hasMoved = false;
        return moved;
    }

    public void ReadCalls(ref Utf8JsonReader json, bool whole)
    {
        json.Read();
        if (json.TokenType != JsonTokenType.StartArray)
        {
            json.Skip();
            return;
        }

        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            if (json.TokenType == JsonTokenType.StartObject)
            {
                Add(ReadPiece(ref json), whole);
            }
            else
            {
                json.Skip();
            }
        }
    }

    /// <summary>The form before <c>tool_calls</c>: one call, no id. Some servers always send it, empty.</summary>
    public void ReadLegacy(ref Utf8JsonReader json)
    {
        json.Read();
        if (json.TokenType != JsonTokenType.StartObject)
        {
            json.Skip();
            return;
        }

        var piece = default(Piece);
        ReadFunction(ref json, ref piece);
        if (piece.Name is { Length: > 0 } || (piece.Arguments is { Length: > 0 } && _calls.Count > 0))
        {
            Add(piece, whole: false);
        }
    }

    public IEnumerable<FunctionCallContent> ToContents()
    {
        var used = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < _calls.Count; i++)
        {
            var call = _calls[i];
            if (call.Name.Length == 0)
            {
                continue;
            }

            var id = call.Id is { Length: > 0 } given && used.Add(given) ? given : $"call_{i}";
            used.Add(id);
            yield return ToolArguments.ToCall(id, call.Name, call.Arguments.ToString());
        }
    }

    private static Piece ReadPiece(ref Utf8JsonReader json)
    {
        var piece = default(Piece);
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            if (json.ValueTextEquals("index"u8))
            {
                json.Read();
                piece.Index = json.TokenType == JsonTokenType.Number && json.TryGetInt32(out var index) ? index : null;
                json.Skip();
            }
            else if (json.ValueTextEquals("id"u8))
            {
                json.Read();
                piece.Id = json.TokenType == JsonTokenType.String ? json.GetString() : null;
                json.Skip();
            }
            else if (json.ValueTextEquals("function"u8))
            {
                json.Read();
                if (json.TokenType == JsonTokenType.StartObject)
                {
                    ReadFunction(ref json, ref piece);
                }
            }
            else
            {
                json.Read();
                json.Skip();
            }
        }

        return piece;
    }

    private static void ReadFunction(ref Utf8JsonReader json, ref Piece piece)
    {
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var isName = json.ValueTextEquals("name"u8);
            var isArguments = json.ValueTextEquals("arguments"u8);
            json.Read();
            if (isName && json.TokenType == JsonTokenType.String)
            {
                piece.Name = json.GetString();
            }
            else if (isArguments && json.TokenType == JsonTokenType.String)
            {
                piece.Arguments = PieceText.Read(ref json);
            }
            else if (isArguments && json.TokenType == JsonTokenType.StartObject)
            {
                // Ollama's older versions send the object itself instead of its text.
                piece.Arguments = JsonElement.ParseValue(ref json).GetRawText();
            }
            else
            {
                json.Skip();
            }
        }
    }

    private void Add(in Piece piece, bool whole)
    {
        var call = whole ? null : Find(piece);
        if (call is null)
        {
            call = new Call { Index = piece.Index };
            _calls.Add(call);
        }

        if (call.Name.Length == 0)
        {
            call.Name = piece.Name ?? "";
        }

        call.Id = call.Id is { Length: > 0 } ? call.Id : piece.Id;
        call.Arguments.Append(piece.Arguments);
        _growth += piece.Arguments?.Length ?? 0;
        _hasMoved |= piece is { Arguments.Length: > 0 } or { Name.Length: > 0 } or { Id.Length: > 0 };
    }

    private Call? Find(in Piece piece)
    {
        var index = piece.Index;
        var found = index is null ? _calls.LastOrDefault() : _calls.LastOrDefault(c => c.Index == index);
        if (found is null || found.Name.Length == 0)
        {
            return found;
        }

        return piece.Name is { Length: > 0 } ? Named(found, piece)
            : found.IsNamedAgain && piece.Arguments is { Length: > 0 } ? Another(found)
            : found;
    }

    /// <summary>The name comes again. Another id says: another call. So does an argument object that is already complete, once arguments follow: an echo of what was said makes no second call.</summary>
    private static Call? Named(Call found, in Piece piece)
    {
        if (piece.Id is { Length: > 0 } id && found.Id is { Length: > 0 } old && id != old)
        {
            return null;
        }

        if (found.Arguments.Length == 0 || ToolArguments.Parse(found.Arguments.ToString()) is null)
        {
            return found;
        }

        found.IsNamedAgain = piece.Index is not null && piece.Name == found.Name && piece.Arguments is not { Length: > 0 };
        return found.IsNamedAgain ? found : null;
    }

    private Call Another(Call named)
    {
        named.IsNamedAgain = false;
        var call = new Call { Index = named.Index, Name = named.Name };
        _calls.Add(call);
        return call;
    }

    private sealed class Call
    {
        public int? Index { get; init; }

        public string? Id { get; set; }

        public string Name { get; set; } = "";

        public StringBuilder Arguments { get; } = new();

        /// <summary>Its arguments were complete, and its name came once more without any: an echo, or the beginning of another call of the same tool.</summary>
        public bool IsNamedAgain { get; set; }
    }

    private struct Piece
    {
        public int? Index;
        public string? Id;
        public string? Name;
        public string? Arguments;
    }
}
