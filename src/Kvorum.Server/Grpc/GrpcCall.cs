using Kvorum.Protocol.Grpc;
using Kvorum.Server.Etcd;
using Microsoft.AspNetCore.Http;

namespace Kvorum.Server.Grpc;

/// <summary>One call: what its caller said beside the message, how long it waits, and what may end it early.</summary>
internal sealed class GrpcCall : IDisposable
{
    private const string MetadataPrefix = "Grpc-Metadata-";

    private readonly HttpContext _http;
    private readonly TimeProvider _time;
    private readonly long _startedAt;
    private readonly TimeSpan? _timeout;
    private readonly CancellationTokenSource? _end;
    private readonly ITimer? _deadline;
    private readonly CancellationTokenRegistration _draining;
    private GrpcException? _endReason;

    /// <param name="timeout">The caller's own; null when it named none.</param>
    /// <param name="draining">
    /// Of a call that may last: when the server stops. Such a call ends with its time, too, and when <see cref="End"/>
    /// says so.
    /// </param>
    public GrpcCall(HttpContext http, TimeSpan? timeout, bool isJson, CancellationToken? draining, TimeProvider time)
    {
        _http = http;
        _time = time;
        _timeout = timeout > GrpcLimits.TimeoutMax ? GrpcLimits.TimeoutMax : timeout;
        _startedAt = timeout is null ? 0 : time.GetTimestamp();
        IsJson = isJson;
        if (draining is not { } stopping)
        {
            return;
        }

        _end = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted);
        _draining = stopping.Register(static call => ((GrpcCall)call!).End(EtcdErrors.ServerStopped()), this);
        if (_timeout is { } limit)
        {
            _deadline = time.CreateTimer(
                static call => ((GrpcCall)call!).End(
                    new GrpcException(GrpcStatusCode.DeadlineExceeded, "context deadline exceeded")),
                this, limit, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>It came through the JSON gateway.</summary>
    public bool IsJson { get; }

    /// <summary>Fires when the caller is gone or has given up; of a stream also when it is ended.</summary>
    public CancellationToken Cancel => _end?.Token ?? _http.RequestAborted;

    /// <summary>Why a stream was ended; null while it was not.</summary>
    public GrpcException? EndReason => Volatile.Read(ref _endReason);

    /// <summary>The caller named a time it waits for.</summary>
    public bool HasDeadline => _timeout is not null;

    /// <summary>Ends a stream early; the first reason counts. Any thread.</summary>
    public void End(GrpcException reason)
    {
        if (_end is null || Interlocked.CompareExchange(ref _endReason, reason, null) is not null)
        {
            return;
        }

        try
        {
            _end.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has just ended by itself.
        }
    }

    public void Dispose()
    {
        _deadline?.Dispose();
        _draining.Dispose();
        _end?.Dispose();
    }

    /// <summary>What is left of the caller's time, at most <paramref name="max"/>; never less than zero.</summary>
    public TimeSpan Remaining(TimeSpan max)
    {
        if (_timeout is not { } timeout)
        {
            return max;
        }

        var left = timeout - _time.GetElapsedTime(_startedAt);
        return left < TimeSpan.Zero ? TimeSpan.Zero : left < max ? left : max;
    }

    /// <summary>A metadata value; the first one when there are several. Names are lower case.</summary>
    public string? Metadata(string name)
    {
        var headers = _http.Request.Headers;
        if (headers.TryGetValue(name, out var values) && values.Count > 0)
        {
            return values[0];
        }

        return IsJson && headers.TryGetValue(MetadataPrefix + name, out values) && values.Count > 0 ? values[0] : null;
    }

    /// <summary>Reads <c>grpc-timeout</c>.</summary>
    /// <exception cref="GrpcException">Internal: it is malformed.</exception>
    public static TimeSpan? TimeoutOf(HttpRequest request)
    {
        if (!request.Headers.TryGetValue(GrpcText.TimeoutHeader, out var text))
        {
            return null;
        }

        return GrpcText.TryParseTimeout(text.ToString(), out var timeout)
            ? timeout
            : throw new GrpcException(GrpcStatusCode.Internal, $"malformed grpc-timeout: {text}");
    }
}
