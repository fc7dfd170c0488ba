namespace RootMas.Server.Knowledge.Documents;

/// <summary>What a user can know from documents, as one text that changes with it. Answers that were made of an older state are not given again.</summary>
public interface IKnowledgeVersion
{
    /// <summary>Another text after every change of a document or collection that this user can read.</summary>
    ValueTask<string> OfAsync(string ownerId, CancellationToken cancellationToken);
}
