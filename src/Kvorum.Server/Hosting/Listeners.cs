using System.Net;
using System.Net.Sockets;
using Kvorum.Server.Grpc;
using Kvorum.Server.OnePort;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Kvorum.Server;

/// <summary>Builds the two Kestrel hosts: one for clients, one for peers.</summary>
/// <remarks>
/// Two, because a server that stops must refuse clients first and keep its peers until leadership is handed over; and
/// because only peer connections may run our code directly on the socket's thread, which never blocks there.
/// </remarks>
internal static class Listeners
{
    public static WebApplication BuildClients(IReadOnlyList<Uri> urls, ILoggerFactory loggers)
    {
        var builder = EmptyBuilder(loggers);
        builder.Services.AddRoutingCore();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.AllowAlternateSchemes = true; // HTTP/2 requests say "http" on what Kestrel takes for TLS.
            var limits = kestrel.Limits;
            limits.MaxConcurrentConnections = ServerLimits.ClientConnectionsMax;
            limits.MaxConcurrentUpgradedConnections = 0;
            limits.MaxRequestBodySize = ServerLimits.RequestBodyBytesMax;
            limits.MaxRequestHeaderCount = ServerLimits.RequestHeadersMax;
            limits.MaxRequestHeadersTotalSize = ServerLimits.RequestHeadersBytesMax;
            limits.MaxRequestLineSize = Rest.RestLimits.RequestLineBytesMax;
            limits.RequestHeadersTimeout = ServerLimits.RequestHeadersTimeout;
            limits.KeepAliveTimeout = ServerLimits.IdleConnectionTimeout;
            limits.MinRequestBodyDataRate = new MinDataRate(bytesPerSecond: 240, TimeSpan.FromSeconds(5));
            limits.MinResponseDataRate = null; // Set per request: in HTTP/2 one slow stream would end the others.
            limits.Http2.MaxStreamsPerConnection = GrpcLimits.StreamsPerConnectionMax;
            foreach (var endpoint in urls.SelectMany(Resolve))
            {
                kestrel.Listen(endpoint, listen =>
                {
                    listen.Protocols = HttpProtocols.Http1AndHttp2;
                    listen.Use(next => PrefaceSniffer.Use(next, ServerLimits.RequestHeadersTimeout));
                });
            }
        });
        return builder.Build();
    }

    public static WebApplication BuildPeers(IReadOnlyList<Uri> urls, PeerTransport transport, ILoggerFactory loggers)
    {
        var builder = EmptyBuilder(loggers);
        builder.Services.AddSingleton(transport);
        builder.WebHost.UseSockets(sockets =>
        {
            sockets.UnsafePreferInlineScheduling = true;
            sockets.WaitForDataBeforeAllocatingBuffer = false;
        });
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxConcurrentConnections = PeerLimits.ConnectionsMax;
            foreach (var endpoint in urls.SelectMany(Resolve))
            {
                kestrel.Listen(endpoint, listen => listen.UseConnectionHandler<PeerEndpoint>());
            }
        });
        var app = builder.Build();
        app.Run(context => // No request arrives here, but a host wants an answer to give.
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return Task.CompletedTask;
        });
        return app;
    }

    /// <summary>Starts a host; a port taken since the check gets the same message as one taken before.</summary>
    public static async Task StartAsync(
        WebApplication app, string option, IReadOnlyList<Uri> urls, CancellationToken cancel)
    {
        try
        {
            await app.StartAsync(cancel).ConfigureAwait(false);
        }
        catch (IOException error) when (error.InnerException is AddressInUseException)
        {
            RequireFree(option, urls);
            throw;
        }
    }

    public static void RequireFree(string option, IReadOnlyList<Uri> urls)
    {
        foreach (var url in urls)
        {
            PortOwner.RequireFree(option, url, Resolve(url));
        }
    }

    /// <summary>
    /// Where to listen for a URL: its address, both loopback addresses for localhost, or what its name resolves to.
    /// </summary>
    private static IEnumerable<IPEndPoint> Resolve(Uri url)
    {
        if (IPAddress.TryParse(url.IdnHost, out var literal))
        {
            return [new IPEndPoint(literal, url.Port)];
        }

        if (string.Equals(url.IdnHost, "localhost", StringComparison.OrdinalIgnoreCase))
        {
            var loopback = new IPEndPoint(IPAddress.Loopback, url.Port);
            return url.Port == 0 || !HasLoopbackV6()
                ? [loopback]
                : [loopback, new IPEndPoint(IPAddress.IPv6Loopback, url.Port)];
        }

        try
        {
            var addresses = Dns.GetHostAddresses(url.IdnHost).Distinct();
            return [.. addresses.Select(address => new IPEndPoint(address, url.Port))];
        }
        catch (SocketException error)
        {
            throw new IOException($"Cannot listen on {url}: the name does not resolve ({error.Message}).", error);
        }
    }

    private static bool HasLoopbackV6()
    {
        try
        {
            using var socket = new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(IPAddress.IPv6Loopback, 0));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>No configuration files, no environment, no signals: the caller decides all of these.</summary>
    private static WebApplicationBuilder EmptyBuilder(ILoggerFactory loggers)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore();
        builder.Services.AddLogging();
        builder.Services.AddSingleton<ILoggerFactory>(new QuietHostLoggers(loggers));
        builder.Services.AddSingleton<IHostLifetime, EmbeddedLifetime>();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = ServerLimits.DrainTimeout);
        return builder;
    }

    /// <summary>The embedding program owns signals and the end of the process.</summary>
    private sealed class EmbeddedLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
