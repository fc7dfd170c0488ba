namespace RootMas.Server.Platform.OpenApi;

/// <summary>A list in whose place one text may stand, in what is read by hand: the API description says so.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class TextOrListAttribute : Attribute;
