using System.Buffers;
using System.IO.Pipelines;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Kvorum.Server.OnePort;

/// <summary>
/// Lets one port without TLS speak HTTP/1.1 and HTTP/2: looks at the first bytes of a connection, takes none of them,
/// and tells Kestrel which of the two it is.
/// </summary>
/// <remarks>
/// Kestrel chooses by TLS's protocol negotiation only; without TLS it takes every connection for HTTP/1.1. A client
/// that knows it speaks HTTP/2 begins with a preface (RFC 9113 §3.4), which no HTTP/1.1 request begins with. For such
/// a connection this stands in for the negotiation's outcome. So nothing on this port may ask whether a request came
/// over TLS; ask the listener.
/// </remarks>
internal static class PrefaceSniffer
{
    private static ReadOnlySpan<byte> Preface => "PRI * HTTP/2.0"u8;

    /// <summary>Runs before Kestrel's own handling of a connection.</summary>
    /// <param name="next">Kestrel.</param>
    /// <param name="firstBytesTimeout">How long a connection may say nothing before it is closed.</param>
    public static ConnectionDelegate Use(ConnectionDelegate next, TimeSpan firstBytesTimeout) =>
        connection => SniffAsync(connection, next, firstBytesTimeout);

    private static async Task SniffAsync(ConnectionContext connection, ConnectionDelegate next, TimeSpan timeout)
    {
        if (await BeginsWithPrefaceAsync(connection.Transport.Input, timeout).ConfigureAwait(false) is not { } isHttp2)
        {
            return; // It closed, or said nothing in time: there is nobody to answer.
        }

        if (isHttp2)
        {
            connection.Features.Set<ITlsConnectionFeature>(NoTls.Instance);
            connection.Features.Set<ITlsApplicationProtocolFeature>(NegotiatedHttp2.Instance);
        }

        await next(connection).ConfigureAwait(false);
    }

    /// <returns>Null when there will be no first bytes.</returns>
    private static async ValueTask<bool?> BeginsWithPrefaceAsync(PipeReader input, TimeSpan timeout)
    {
        using var patience = new CancellationTokenSource();
        while (true)
        {
            ReadResult read;
            try
            {
                var reading = input.ReadAsync(patience.Token);
                if (!reading.IsCompleted)
                {
                    patience.CancelAfter(timeout);
                }

                read = await reading.ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return null;
            }
            catch (ConnectionResetException)
            {
                return null;
            }

            var verdict = Judge(read.Buffer);
            if (verdict is null && read.IsCompleted && read.Buffer.IsEmpty)
            {
                input.AdvanceTo(read.Buffer.Start);
                return null;
            }

            // Nothing is taken. Undecided: all was looked at, so that the next read waits for more.
            var isUndecided = verdict is null && !read.IsCompleted;
            input.AdvanceTo(read.Buffer.Start, isUndecided ? read.Buffer.End : read.Buffer.Start);
            if (!isUndecided)
            {
                return verdict ?? false;
            }
        }
    }

    /// <returns>Null while the bytes could become either.</returns>
    private static bool? Judge(in ReadOnlySequence<byte> received)
    {
        Span<byte> first = stackalloc byte[Preface.Length];
        var count = (int)Math.Min(received.Length, Preface.Length);
        received.Slice(0, count).CopyTo(first);
        return !Preface.StartsWith(first[..count]) ? false : count == Preface.Length ? true : null;
    }

    private sealed class NoTls : ITlsConnectionFeature
    {
        public static readonly NoTls Instance = new();

        public X509Certificate2? ClientCertificate
        {
            get => null;
            set => throw new NotSupportedException("A connection without TLS has no certificate.");
        }

        public Task<X509Certificate2?> GetClientCertificateAsync(CancellationToken cancellationToken) =>
            Task.FromResult<X509Certificate2?>(null);
    }

    private sealed class NegotiatedHttp2 : ITlsApplicationProtocolFeature
    {
        public static readonly NegotiatedHttp2 Instance = new();

        public ReadOnlyMemory<byte> ApplicationProtocol { get; } = "h2"u8.ToArray();
    }
}
