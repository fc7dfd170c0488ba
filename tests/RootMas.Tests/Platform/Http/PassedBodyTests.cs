using RootMas.Server.Platform.Http;

namespace RootMas.Tests.Platform.Http;

/// <summary>A gathered body in pieces of any size comes out as it went in, and what was read takes no memory any more.</summary>
public sealed class PassedBodyTests
{
    [Theory]
    [InlineData(0, 1, 1)]
    [InlineData(1, 1, 10)]
    [InlineData(1_024, 1_024, 1_024)]
    [InlineData(1_025, 1, 7)]
    [InlineData(300_000, 1_000, 81_920)]
    [InlineData(1 << 20, 65_536, 4_096)]
    public async Task It_comes_out_as_it_went_in(int bytes, int written, int read)
    {
        var content = new byte[bytes];
        new Random(bytes).NextBytes(content);
        using var body = Filled(content, written);
        Assert.Equal(bytes, body.Length);
        using var copy = new MemoryStream();
        await body.CopyToAsync(copy, read);
        Assert.Equal(content, copy.ToArray());
        Assert.Equal((0, 0, (long)bytes), (await body.ReadAsync(new byte[1]), body.Held, body.Position));
    }

    [Fact]
    public void What_was_read_is_let_go_and_little_is_kept_for_little()
    {
        using var body = Filled(new byte[1 << 20], 10_000);
        Assert.InRange(body.Held, 1 << 20, (1 << 20) + (64 << 10));
        var kept = 0;
        while (body.Read(new byte[10_000]) is > 0 and var read)
        {
            kept += read;
            Assert.InRange(kept + body.Held, 0, (1 << 20) + (128 << 10)); // both together are one body
        }

        Assert.Equal(1 << 20, kept);
        using var small = Filled(new byte[100], 1);
        Assert.InRange(small.Held, 100, 1_024);
    }

    private static PassedBody Filled(byte[] content, int pieces)
    {
        var body = new PassedBody();
        foreach (var piece in content.Chunk(pieces))
        {
            body.Write(piece, 0, piece.Length);
        }

        return body;
    }
}
