using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.IO.Pipelines;
using Kvorum.Node;

namespace Kvorum.Server;

/// <summary>What came in the place of a speaker.</summary>
/// <param name="Error">Null when a whole, undamaged speaker came.</param>
/// <param name="ErrorVerdict">The verdict an error deserves.</param>
/// <param name="IsPeer">It began like a peer, so that a refusal will be understood.</param>
internal readonly record struct HeardSpeaker(
    PeerHello Hello, string ClientUrls, string? Error, PeerVerdict ErrorVerdict, bool IsPeer)
{
    public static HeardSpeaker Failed(string error, PeerVerdict verdict, bool isPeer) =>
        new(default, "", error, verdict, isPeer);
}

/// <summary>Reading and examining hellos; the same on both ends.</summary>
internal static class PeerHandshake
{
    /// <summary>
    /// What somebody says who is no node yet and asks who is there: zeros. The answer is an introduction.
    /// </summary>
    public static PeerHello WhoIsThere => default;

    /// <summary>Reads a hello and the client URLs behind it.</summary>
    /// <exception cref="IOException">The other end closed the connection.</exception>
    public static async ValueTask<HeardSpeaker> ReadSpeakerAsync(PipeReader input, CancellationToken cancel)
    {
        var beginning = await ReadExactlyAsync(input, PeerHello.BeginningBytes, cancel).ConfigureAwait(false);
        var isPeer = beginning.AsSpan().StartsWith("KVPH"u8);
        var isOtherVersion = isPeer && !PeerHello.IsVersionSpoken(beginning, out _);
        var rest = isPeer && !isOtherVersion
            ? await ReadExactlyAsync(input, PeerHello.Bytes - PeerHello.BeginningBytes, cancel).ConfigureAwait(false)
            : [];
        if (!PeerHello.TryDecode([.. beginning, .. rest], out var hello, out var error))
        {
            return HeardSpeaker.Failed(
                error, isOtherVersion ? PeerVerdict.VersionNotSpoken : PeerVerdict.Malformed, isPeer);
        }

        var clientUrls = await ReadTextAsync(input, cancel).ConfigureAwait(false);
        return clientUrls is null
            ? HeardSpeaker.Failed("a damaged list of client URLs", PeerVerdict.Malformed, isPeer: true)
            : new HeardSpeaker(hello, clientUrls, null, PeerVerdict.Welcome, IsPeer: true);
    }

    /// <summary>Reads a text block; null when it is too long or damaged.</summary>
    public static async ValueTask<string?> ReadTextAsync(PipeReader input, CancellationToken cancel)
    {
        var head = await ReadExactlyAsync(input, PeerWire.TextLengthBytes, cancel).ConfigureAwait(false);
        if (!PeerWire.TryReadTextLength(head, out var length))
        {
            return null;
        }

        var rest = await ReadExactlyAsync(input, length + PeerWire.TextChecksumBytes, cancel).ConfigureAwait(false);
        return PeerWire.TryDecodeText([.. head, .. rest], out var text) ? text : null;
    }

    public static async ValueTask<byte[]> ReadExactlyAsync(PipeReader input, int count, CancellationToken cancel)
    {
        var result = await input.ReadAtLeastAsync(count, cancel).ConfigureAwait(false);
        if (result.Buffer.Length < count)
        {
            input.AdvanceTo(result.Buffer.End);
            throw new IOException("the connection was closed during the handshake");
        }

        var bytes = result.Buffer.Slice(0, count).ToArray();
        input.AdvanceTo(result.Buffer.GetPosition(count));
        return bytes;
    }

    /// <summary>Whether the speaker may talk to this node at all; what the gate then judges is its directory.</summary>
    public static (PeerVerdict Verdict, string Reason) Examine(in PeerHello hello, PeerTransportOptions own)
    {
        if (hello.ClusterId != own.ClusterId)
        {
            return (PeerVerdict.OtherCluster,
                $"wrong cluster: expected cluster id {own.ClusterId:x16}, found {hello.ClusterId:x16} "
                + "(do all nodes have the same --initial-cluster and token?)");
        }

        if (hello.Node == own.Node)
        {
            return (PeerVerdict.OwnId, $"the speaker has this node's own id {own.Node:x16}");
        }

        return hello.To == own.Node
            ? (PeerVerdict.Welcome, "")
            : (PeerVerdict.MeantForAnotherNode,
                $"meant for another node: expected node id {own.Node:x16}, found {hello.To:x16} "
                + "(does a peer URL point to the wrong node?)");
    }

    /// <summary>The first of a list of client URLs; null when there is none to send a client to.</summary>
    public static bool TryFirstUrl(string clientUrls, [NotNullWhen(true)] out string? url)
    {
        url = clientUrls.Split('\n')[0];
        return Uri.TryCreate(url, UriKind.Absolute, out var parsed)
            && (parsed.Scheme == Uri.UriSchemeHttp || parsed.Scheme == Uri.UriSchemeHttps);
    }
}
