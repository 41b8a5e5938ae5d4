using Kvorum.Node;

namespace Kvorum.Server.Tests.Peers;

public sealed class PeerHelloTests
{
    private static readonly PeerHello Sample = new(0x0102030405060708, ulong.MaxValue, 3, 0xFEDCBA9876543210, 1);

    [Fact]
    public void A_hello_comes_back_as_it_was_written()
    {
        Assert.True(PeerHello.TryDecode(Encode(Sample), out var decoded, out var error), error);
        Assert.Equal(Sample, decoded);
    }

    [Fact]
    public void The_layout_is_the_one_in_the_format_page()
    {
        var bytes = Encode(new PeerHello(1, 2, 3, 4, 5) { Promise = new PeerPromise(6, 7, 8) });

        Assert.Equal(
            "4B565048" + "0200" + "0000" + "0100000000000000" + "0200000000000000" + "0300000000000000"
            + "0400000000000000" + "0500000000000000" + "0600000000000000" + "0700000000000000" + "0800000000000000",
            Convert.ToHexString(bytes.AsSpan(0, 72)));
        Assert.Equal(76, bytes.Length);
    }

    [Fact]
    public void Every_truncation_is_refused()
    {
        var bytes = Encode(Sample);
        for (var length = 0; length < bytes.Length; length++)
        {
            Assert.False(PeerHello.TryDecode(bytes.AsSpan(0, length), out _, out var error));
            Assert.NotNull(error);
        }
    }

    [Fact]
    public void Every_flipped_bit_is_refused()
    {
        var bytes = Encode(Sample);
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(PeerHello.TryDecode(bytes, out _, out _), $"bit {bit}");
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void Another_version_is_named_with_the_expected_one()
    {
        var bytes = Encode(Sample);
        bytes[4] = 9;

        Assert.False(PeerHello.TryDecode(bytes, out _, out var error));

        Assert.Equal("peer protocol version 9 where 2 was expected", error);
    }

    [Fact]
    public void Noise_is_refused()
    {
        var random = new Random(1);
        var bytes = new byte[PeerHello.Bytes];
        for (var round = 0; round < 1000; round++)
        {
            random.NextBytes(bytes);
            Assert.False(PeerHello.TryDecode(bytes, out _, out _));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("http://127.0.0.1:2379\nhttp://größe.test:1")]
    public void A_text_block_comes_back_as_it_was_written(string text)
    {
        Assert.True(PeerWire.TryDecodeText(PeerWire.EncodeText(text), out var decoded));
        Assert.Equal(text, decoded);
    }

    [Fact]
    public void A_text_past_its_limit_is_cut_between_characters()
    {
        var block = PeerWire.EncodeText("x" + new string('ö', PeerLimits.TextBytesMax));

        Assert.True(PeerWire.TryReadTextLength(block, out var length));
        Assert.True(PeerWire.TryDecodeText(block, out var decoded));
        Assert.Equal(PeerLimits.TextBytesMax - 1, length);
        Assert.Equal("x" + new string('ö', (PeerLimits.TextBytesMax / 2) - 1), decoded);
    }

    [Fact]
    public void A_damaged_text_block_is_refused()
    {
        var block = PeerWire.EncodeText("http://a.test:1");
        for (var index = 0; index < block.Length; index++)
        {
            block[index] ^= 1;
            Assert.False(PeerWire.TryDecodeText(block, out _), $"byte {index}");
            block[index] ^= 1;
        }
    }

    private static byte[] Encode(PeerHello hello)
    {
        var bytes = new byte[PeerHello.Bytes];
        hello.Encode(bytes);
        return bytes;
    }
}
