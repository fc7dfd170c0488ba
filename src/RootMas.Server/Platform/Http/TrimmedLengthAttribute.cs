using System.ComponentModel.DataAnnotations;

namespace RootMas.Server.Platform.Http;

/// <summary>A length that spaces at either end do not make up: a text of nothing but spaces says nothing.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class TrimmedLengthAttribute : StringLengthAttribute
{
    public TrimmedLengthAttribute(int minimum, int maximum)
        : base(maximum)
    {
        MinimumLength = minimum;
    }

    public override bool IsValid(object? value) => base.IsValid(value) && (value is not string text || text.AsSpan().Trim().Length >= MinimumLength);
}
