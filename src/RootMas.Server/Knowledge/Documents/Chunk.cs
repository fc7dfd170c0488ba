namespace RootMas.Server.Knowledge.Documents;

/// <summary>A piece of a document.</summary>
/// <param name="Ordinal">From 0, in the order of the text.</param>
/// <param name="Heading">The headings above it, outermost first, joined by <c> › </c>; empty: none.</param>
/// <param name="Page">From 1; null: the document has no pages.</param>
/// <param name="Start">First character in the document's text.</param>
/// <param name="End">Character after it.</param>
/// <param name="Text">Exactly what stands there.</param>
internal sealed record Chunk(int Ordinal, string Heading, int? Page, int Start, int End, string Text);
