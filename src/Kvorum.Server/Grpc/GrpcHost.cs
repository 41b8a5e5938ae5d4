using System.Collections.Frozen;
using System.Globalization;
using Kvorum.Protocol.Grpc;
using Kvorum.Server.Etcd;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;

namespace Kvorum.Server.Grpc;

/// <summary>gRPC over Kestrel's HTTP/2: finds the method of a call, runs it, and tells how it ended.</summary>
internal sealed class GrpcHost
{
    private const string IdentityEncoding = "identity";

    private static readonly StringValues OkStatus = "0";
    private readonly FrozenDictionary<string, GrpcMethod> _methods;
    private readonly FrozenSet<string> _services;
    private readonly ServerContext _context;
    private readonly ILogger _logger;

    public GrpcHost(IEnumerable<GrpcMethod> methods, ServerContext context, ILogger logger)
    {
        _methods = methods.ToFrozenDictionary(method => method.Path, StringComparer.Ordinal);
        _services = _methods.Values.Select(method => method.Service).ToFrozenSet(StringComparer.Ordinal);
        _context = context;
        _logger = logger;
    }

    /// <summary>Whether a request is a gRPC call, well formed or not.</summary>
    public static bool IsCall(HttpRequest request) =>
        request.ContentType is { } type && type.StartsWith(GrpcText.ContentType, StringComparison.OrdinalIgnoreCase);

    /// <summary>A service with its package, and a method; a key of the short form may look the same.</summary>
    public static bool IsPath(ReadOnlySpan<char> path) =>
        path.StartsWith("/etcdserverpb.", StringComparison.Ordinal)
        || path.StartsWith("/v3lockpb.", StringComparison.Ordinal)
        || path.StartsWith("/v3electionpb.", StringComparison.Ordinal)
        || path.StartsWith("/grpc.", StringComparison.Ordinal);

    public async Task HandleAsync(HttpContext http)
    {
        var request = http.Request;
        if (!HttpMethods.IsPost(request.Method) || !HttpProtocol.IsHttp2(request.Protocol))
        {
            http.Response.StatusCode = HttpMethods.IsPost(request.Method)
                ? StatusCodes.Status426UpgradeRequired
                : StatusCodes.Status405MethodNotAllowed;
            return;
        }

        var response = http.Response;
        response.ContentType = GrpcText.ContentType;
        if (!_methods.TryGetValue(request.Path.Value ?? "", out var method))
        {
            Fail(http, GrpcStatusCode.Unimplemented, Unknown(request.Path.Value ?? ""));
            return;
        }

        var code = GrpcStatusCode.Ok;
        GrpcCall? call = null;
        try
        {
            RefuseCompression(request);
            if (method.IsStreaming)
            {
                LiftBodyLimits(http);
            }

            call = new GrpcCall(
                http, GrpcCall.TimeoutOf(request), isJson: false,
                method.MayLast ? _context.Draining : null, _context.Time);
            await method.RunAsync(http, call, new FramePipe(http)).ConfigureAwait(false);
            Trailers(http)[GrpcText.StatusHeader] = OkStatus;
        }
        catch (Exception) when (http.RequestAborted.IsCancellationRequested)
        {
            code = GrpcStatusCode.Canceled; // The caller is gone; there is nobody to answer.
        }
        catch (Exception failure)
        {
            (code, var detail) = EtcdErrors.StatusOf(call?.EndReason ?? failure);
            if (code is GrpcStatusCode.Internal && failure is not GrpcException)
            {
                Log.CallFailed(_logger, failure, method.Path);
            }

            Fail(http, code, detail);
        }
        finally
        {
            call?.Dispose();
        }

        _context.GrpcCalls.Count(method, code);
    }

    /// <summary>A stream's body has no end; only the size of its messages is limited.</summary>
    private static void LiftBodyLimits(HttpContext http)
    {
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = null;
        }

        if (http.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
        {
            rate.MinDataRate = null;
        }
    }

    private static void RefuseCompression(HttpRequest request)
    {
        if (request.Headers.TryGetValue(GrpcText.EncodingHeader, out var encoding) && encoding != IdentityEncoding)
        {
            throw new GrpcException(
                GrpcStatusCode.Unimplemented,
                $"grpc: Decompressor is not installed for grpc-encoding \"{encoding}\"");
        }
    }

    private string Unknown(string path)
    {
        var slash = path.LastIndexOf('/');
        var service = slash > 0 ? path[1..slash] : path;
        return _services.Contains(service)
            ? $"unknown method {path[(slash + 1)..]} for service {service}"
            : $"unknown service {service}";
    }

    private static void Fail(HttpContext http, GrpcStatusCode code, string detail)
    {
        var headers = http.Response.HasStarted ? Trailers(http) : http.Response.Headers;
        if (!http.Response.HasStarted)
        {
            headers[GrpcText.AcceptEncodingHeader] = IdentityEncoding;
        }

        headers[GrpcText.StatusHeader] = ((int)code).ToString(CultureInfo.InvariantCulture);
        headers[GrpcText.MessageHeader] = GrpcText.Encode(detail);
    }

    private static IHeaderDictionary Trailers(HttpContext http) =>
        http.Features.GetRequiredFeature<IHttpResponseTrailersFeature>().Trailers;
}
