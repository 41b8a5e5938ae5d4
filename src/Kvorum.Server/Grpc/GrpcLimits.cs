namespace Kvorum.Server.Grpc;

/// <summary>Every limit of the gRPC layer, with its unit.</summary>
internal static class GrpcLimits
{
    /// <summary>
    /// The largest message read, in bytes: more than a request may have, so that the request's own error is what a
    /// client hears (etcd: 1.5 MiB and 512 KiB).
    /// </summary>
    public const int MessageBytesMax = (1536 + 512) * 1024;

    /// <summary>The same as JSON, in bytes: base64 makes it a third longer.</summary>
    public const int JsonBytesMax = 3 * 1024 * 1024;

    /// <summary>Streams of one connection. Clients open one for each lease, watch or wait for a lock.</summary>
    public const int StreamsPerConnectionMax = 100_000;

    /// <summary>
    /// How long a request without a timeout of its own may take: etcd's 5 s and two election timeouts.
    /// </summary>
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(7);

    /// <summary>The longest timeout a caller can ask for; a longer one is this long.</summary>
    public static readonly TimeSpan TimeoutMax = TimeSpan.FromDays(1);
}
