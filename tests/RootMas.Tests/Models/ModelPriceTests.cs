using System.Numerics;
using FsCheck;
using FsCheck.Fluent;
using RootMas.Runtime.Runs;
using RootMas.Server.Models;

namespace RootMas.Tests.Models;

public sealed class ModelPriceTests
{
    /// <summary>The price in whole nano-dollars per token, so that the expectation is integer arithmetic.</summary>
    private static Gen<(long Input, long Cached, long Output, long PriceIn, long PriceCached, long PriceOut)> Cases =>
        from input in Gen.Choose(0, 2_000_000)
        from cached in Gen.Choose(0, 2_000_000)
        from output in Gen.Choose(0, 200_000)
        from priceIn in Gen.Choose(0, 75_000)
        from priceCached in Gen.Choose(0, 75_000)
        from priceOut in Gen.Choose(0, 600_000)
        select ((long)input, (long)cached, (long)output, (long)priceIn, (long)priceCached, (long)priceOut);

    [Fact]
    public void Cost_is_tokens_times_price_rounded_half_up_once() => Prop.ForAll(Cases.ToArbitrary(), c =>
    {
        var price = new ModelPrice(c.PriceIn / 1000m, c.PriceCached / 1000m, c.PriceOut / 1000m);
        var cached = Math.Min(c.Cached, c.Input);
        var nano = ((BigInteger)(c.Input - cached) * c.PriceIn) + ((BigInteger)cached * c.PriceCached) + ((BigInteger)c.Output * c.PriceOut);
        Assert.Equal((long)((nano + 500) / 1000), price.CostOf(new TokenUsage(c.Input, c.Cached, c.Output)).MicroUsd);
    }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData(1, 0, 0, 1)]
    [InlineData(-5, -5, -5, 0)]
    [InlineData(10, 10, 0, 1)]
    public void Halves_go_up_and_nonsense_costs_nothing(long input, long cached, long output, long expected) =>
        Assert.Equal(expected, new ModelPrice(0.5m, 0.05m, 1m).CostOf(new TokenUsage(input, cached, output)).MicroUsd);
}
