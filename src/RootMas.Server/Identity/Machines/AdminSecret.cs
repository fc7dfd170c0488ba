using System.Text;
using Microsoft.Extensions.Primitives;
using RootMas.Server.Identity.Tokens;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Identity.Machines;

/// <summary>A secret of the operator's with which another program of theirs makes service tokens, without being anybody here: the variable <c>ROOTMAS_ADMIN_SECRET</c>, or a file that <c>ROOTMAS_ADMIN_SECRET_FILE</c> names.</summary>
public sealed class AdminSecret
{
    public const string Header = "X-Admin-Secret";
    public const string Variable = "ROOTMAS_ADMIN_SECRET";

    /// <summary>Bytes.</summary>
    public const int Shortest = 32;

    private readonly string? _value;

    private AdminSecret(string? value) => _value = value;

    public static AdminSecret Read(Variables variables, ICollection<string> problems)
    {
        ArgumentNullException.ThrowIfNull(variables);
        ArgumentNullException.ThrowIfNull(problems);
        var value = variables.Get(Variable);
        if (value is not null && Encoding.UTF8.GetByteCount(value) < Shortest)
        {
            problems.Add($"{Variable}: is too short to be a secret; legal: at least {Shortest} bytes, or not set");
        }

        return new AdminSecret(value);
    }

    /// <summary>Whether this header holds it; in a time that says nothing about it. Nothing does while none is set.</summary>
    public bool IsIn(StringValues header) => header is [{ } sent] && _value is not null && OpaqueSecret.AreEqual(sent, _value);
}
