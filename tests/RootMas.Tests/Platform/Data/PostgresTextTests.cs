using RootMas.Server.Platform.Data;

namespace RootMas.Tests.Platform.Data;

public sealed class PostgresTextTests
{
    [Theory]
    [InlineData("select @a, @b_1, @a", "select $1, $2, $1", "a b_1")]
    [InlineData("select @a::json, a @> @b", "select $1::json, a @> $2", "a b")]
    [InlineData("select 'to @nobody', \"@c\", @d -- and @e\nfrom x where y = @f", "select 'to @nobody', \"@c\", $1 -- and @e\nfrom x where y = $2", "d f")]
    [InlineData("select 'it''s @a', @b", "select 'it''s @a', $1", "b")]
    [InlineData("select 1", "select 1", "")]
    [InlineData("select @@x", "select @@x", "")]
    public void Names_become_numbers_but_for_those_in_texts_and_comments(string sql, string numbered, string names)
    {
        var (text, found) = PostgresText.Look(sql);
        Assert.Equal((numbered, names), (text, string.Join(' ', found)));
    }
}
