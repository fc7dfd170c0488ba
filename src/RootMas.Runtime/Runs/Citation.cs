namespace RootMas.Runtime.Runs;

/// <summary>A source that an answer names.</summary>
/// <param name="Id">How the answer refers to it.</param>
/// <param name="Title">Its title, if it has one.</param>
/// <param name="Url">Where it is, if it is on the web.</param>
/// <param name="Excerpt">The words that the answer rests on.</param>
/// <param name="DocumentId">The document, if it is one of the knowledge base.</param>
/// <param name="Page">The document's page, from 1.</param>
/// <param name="Start">First character of the excerpt in the document, from 0.</param>
/// <param name="End">Character after the excerpt.</param>
public sealed record Citation(string Id, string? Title, string? Url, string? Excerpt, string? DocumentId = null, int? Page = null, int? Start = null, int? End = null);
