using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;

namespace Kvorum.Server;

/// <summary>
/// A node that was added before it starts asks, over the peer URLs it was given, who its cluster is and who it is
/// itself: a peer tells its client URLs, and there the membership is read.
/// </summary>
internal sealed class PeerQuestion(ServerOptions options, ILogger logger, TimeProvider time)
{
    private readonly RepeatedReason _failures = new(time);

    /// <exception cref="IOException">This node is no member, or nobody answered in time.</exception>
    public async Task<MemberNote> AskAsync(CancellationToken cancel)
    {
        var peers = options.InitialCluster.Where(member => member.Name != options.Name).ToArray();
        if (peers.Length == 0)
        {
            throw new IOException(
                $"--initial-cluster-state existing expects a node's data in '{options.DataPath}', found nothing there, "
                + "and --initial-cluster names nobody else to ask. If the data was lost, restore it; to join a "
                + "cluster, say --join URL.");
        }

        using var http = JoinQuestion.NewClient();
        var asked = time.GetTimestamp();
        while (true)
        {
            var problem = "";
            foreach (var peer in peers)
            {
                try
                {
                    var clientUrl = await ClientUrlOfAsync(peer.PeerUrl, cancel).ConfigureAwait(false);
                    return await ReadAsync(http, clientUrl, asked, cancel).ConfigureAwait(false);
                }
                catch (Exception error) when (error is HttpRequestException or SocketException or FormatException
                    or EndOfStreamException
                    || (error is OperationCanceledException && !cancel.IsCancellationRequested))
                {
                    problem = error is OperationCanceledException ? "no answer in time" : error.Message;
                    if (_failures.IsWorthLogging(problem))
                    {
                        logger.JoinFailed(peer.PeerUrl, problem);
                    }
                }
            }

            if (time.GetElapsedTime(asked) > ServerLimits.JoinTimeout)
            {
                throw new IOException(
                    $"--initial-cluster-state existing: no member answered within "
                    + $"{ServerLimits.JoinTimeout.TotalSeconds} s: {problem}");
            }

            await Task.Delay(ServerLimits.JoinPause, time, cancel).ConfigureAwait(false);
        }
    }

    /// <summary>Asks a peer port who is there; the first of the client URLs it tells.</summary>
    private static async Task<Uri> ClientUrlOfAsync(Uri peer, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(PeerLimits.HandshakeTimeout);
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(new DnsEndPoint(peer.IdnHost, peer.Port), limit.Token).ConfigureAwait(false);
        var stream = new NetworkStream(socket, ownsSocket: false);
        await using var _ = stream.ConfigureAwait(false);
        var question = PeerWire.EncodeSpeaker(PeerHandshake.WhoIsThere, "");
        var input = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true));
        try
        {
            await stream.WriteAsync(question, limit.Token).ConfigureAwait(false);
            var header = await PeerHandshake.ReadExactlyAsync(input, PeerWire.AnswerHeaderBytes, limit.Token)
                .ConfigureAwait(false);
            if (!PeerWire.TryDecodeAnswerHeader(header, out var verdict, out var error))
            {
                throw new FormatException(error);
            }

            if (verdict is not PeerVerdict.Introduction)
            {
                throw new FormatException($"the peer does not introduce itself (code {(byte)verdict}, {verdict})");
            }

            var heard = await PeerHandshake.ReadSpeakerAsync(input, limit.Token).ConfigureAwait(false);
            return PeerHandshake.TryFirstUrl(heard.ClientUrls, out var url)
                ? new Uri(url)
                : throw new FormatException(heard.Error ?? "the peer tells no client URL");
        }
        catch (IOException error)
        {
            throw new FormatException(error.Message, error);
        }
    }

    private async Task<MemberNote> ReadAsync(HttpClient http, Uri clientUrl, long asked, CancellationToken cancel)
    {
        var own = options.InitialCluster.Single(member => member.Name == options.Name).PeerUrl;
        using var response = await http.GetAsync(new Uri(clientUrl, "/v1/members"), cancel).ConfigureAwait(false);
        var answer = await response.Content.ReadAsStringAsync(cancel).ConfigureAwait(false);
        if (!response.IsSuccessStatusCode)
        {
            throw new FormatException(JoinQuestion.DetailOf(answer, (int)response.StatusCode));
        }

        var note = JoinQuestion.Read(answer, options.Name, own);
        var self = note.Members.FirstOrDefault(member => member.Name == options.Name);
        var ownText = own.AbsoluteUri.TrimEnd('/');
        if (self is null && time.GetElapsedTime(asked) < ServerLimits.MemberNewsTimeout)
        {
            throw new FormatException($"{options.Name} is not a member yet");
        }

        if (self is null)
        {
            throw new IOException(
                $"{options.Name} is not a member of cluster {note.ClusterId:x16} ({clientUrl}). Add it first: "
                + $"kvorum member add {options.Name} --peer-url {ownText} "
                + $"--endpoints {clientUrl.AbsoluteUri.TrimEnd('/')}");
        }

        return self.PeerUrl is null || self.PeerUrl == own
            ? note
            : throw new IOException(
                $"The cluster knows {options.Name} at {self.PeerUrl}, not at {ownText}: is this another node under its "
                + "name? Start it with that address, or remove the member and add it again.");
    }
}
