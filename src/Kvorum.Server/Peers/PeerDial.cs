using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Kvorum.Node;

namespace Kvorum.Server;

/// <summary>The peer was reached and said no, or was not who it should be.</summary>
/// <param name="verdict">What the peer said; null when it was this node that refused.</param>
internal sealed class PeerRefusedException(string message, PeerVerdict? verdict = null) : Exception(message)
{
    public PeerVerdict? Verdict { get; } = verdict;
}

/// <summary>One attempt to reach a peer: the dialler's half of the handshake.</summary>
internal sealed class PeerDial(ServerMember peer, Uri url, PeerTransportOptions own, PeerGate gate)
{
    /// <summary>Connects, says <paramref name="speaker"/>, and judges who answers.</summary>
    /// <exception cref="PeerRefusedException">One of the two refused the other.</exception>
    public async Task<(Socket Socket, string ClientUrls)> ConnectAsync(byte[] speaker, CancellationToken cancel)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            PeerSocketOptions.Apply(socket);

            // The name is resolved at each attempt: addresses may move while this process lives.
            var address = new DnsEndPoint(url.IdnHost, url.Port);
            await socket.ConnectAsync(address, cancel).ConfigureAwait(false);
            var stream = new NetworkStream(socket, ownsSocket: false);
            await using var _ = stream.ConfigureAwait(false);
            await stream.WriteAsync(speaker, cancel).ConfigureAwait(false);
            var answer = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true));
            var clientUrls = await HearAnswerAsync(answer, cancel).ConfigureAwait(false);
            return (socket, clientUrls);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task<string> HearAnswerAsync(PipeReader input, CancellationToken cancel)
    {
        var header = await PeerHandshake.ReadExactlyAsync(input, PeerWire.AnswerHeaderBytes, cancel)
            .ConfigureAwait(false);
        if (!PeerWire.TryDecodeAnswerHeader(header, out var verdict, out var error))
        {
            throw new PeerRefusedException(error);
        }

        if (verdict is not PeerVerdict.Welcome)
        {
            var reason = await PeerHandshake.ReadTextAsync(input, cancel).ConfigureAwait(false);
            throw new PeerRefusedException(
                $"{reason ?? "the reason was damaged"} (code {(byte)verdict}, {verdict})", verdict);
        }

        var heard = await PeerHandshake.ReadSpeakerAsync(input, cancel).ConfigureAwait(false);
        await JudgeAsync(heard).ConfigureAwait(false);
        return heard.ClientUrls;
    }

    private async Task JudgeAsync(HeardSpeaker heard)
    {
        if (heard.Error is { } error)
        {
            throw new PeerRefusedException(error);
        }

        var (verdict, reason) = PeerHandshake.Examine(heard.Hello, own);
        if (verdict is not PeerVerdict.Welcome)
        {
            throw new PeerRefusedException($"it answered, but {reason}");
        }

        if (heard.Hello.Node != peer.Node)
        {
            throw new PeerRefusedException(
                $"another node answered: expected node id {peer.Node:x16} ({peer.Name}), found {heard.Hello.Node:x16}");
        }

        // The gate may write to disk, so it gets a thread of its own for the moment.
        if (await Task.Run(() => gate.Judge(heard.Hello)).ConfigureAwait(false) is { } refusal)
        {
            throw new PeerRefusedException($"this node refused it: {refusal}");
        }
    }
}
