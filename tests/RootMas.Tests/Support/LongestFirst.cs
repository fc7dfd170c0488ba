using RootMas.Tests.Web;
using Xunit.Abstractions;

[assembly: TestCollectionOrderer("RootMas.Tests.Support.LongestFirst", "RootMas.Tests")]

namespace RootMas.Tests.Support;

/// <summary>Those that share a browser or a broker, whose tests come one after the other for minutes, begin first: whichever began last was alone at the end, with idle processors.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    private static readonly string[] First = [WebCollection.Name, RabbitCollection.Name];

    public IEnumerable<ITestCollection> OrderTestCollections(IEnumerable<ITestCollection> testCollections) => testCollections.OrderBy(static c => !First.Contains(c.DisplayName, StringComparer.Ordinal));
}
