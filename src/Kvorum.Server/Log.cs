using Microsoft.Extensions.Logging;

namespace Kvorum.Server;

/// <summary>Everything the server logs. Ids 2000–2999, never reused.</summary>
internal static partial class Log
{
    [LoggerMessage(2000, LogLevel.Information, "Peer {Peer} is connected in both directions.")]
    public static partial void PeerConnected(this ILogger logger, string peer);

    [LoggerMessage(2001, LogLevel.Warning, "The connection to peer {Peer} broke.")]
    public static partial void PeerLost(this ILogger logger, string peer);

    [LoggerMessage(2002, LogLevel.Warning,
        "Cannot connect to peer {Peer} at {Url}: {Reason}. Trying again in the background.")]
    public static partial void DialFailed(this ILogger logger, string peer, Uri url, string reason);

    [LoggerMessage(2003, LogLevel.Error, "Peer {Peer} at {Url} refused this node: {Reason}.")]
    public static partial void RefusedByPeer(this ILogger logger, string peer, Uri url, string reason);

    [LoggerMessage(2004, LogLevel.Error, "Refused a peer connection from {From}: {Reason}.")]
    public static partial void RefusedPeer(this ILogger logger, string from, string reason);

    [LoggerMessage(2005, LogLevel.Error, "Closed the connection from peer {Peer}: it sent {Reason}.")]
    public static partial void BadFrame(this ILogger logger, string peer, string reason);

    [LoggerMessage(2006, LogLevel.Warning,
        "Too many unfinished handshakes on the peer port ({Count}); closed one from {From}.")]
    public static partial void TooManyHandshakes(this ILogger logger, int count, string from);

    [LoggerMessage(2007, LogLevel.Error, "A peer connection failed in an unexpected way.")]
    public static partial void PeerConnectionFailed(this ILogger logger, Exception error);

    [LoggerMessage(2008, LogLevel.Information, "Node {Name} serves clients at {ClientUrls} and peers at {PeerUrls}.")]
    public static partial void Serving(this ILogger logger, string name, string clientUrls, string peerUrls);

    [LoggerMessage(2009, LogLevel.Information, "Node {Name} stops taking requests.")]
    public static partial void Draining(this ILogger logger, string name);

    [LoggerMessage(2010, LogLevel.Information,
        "Node {Peer} is not among the peers any more; its connections are closed.")]
    public static partial void PeerRemoved(this ILogger logger, string peer);

    [LoggerMessage(2012, LogLevel.Information, "Node {Name} joins cluster {Cluster}: {Url} took it in.")]
    public static partial void Joined(this ILogger logger, string name, string cluster, Uri url);

    [LoggerMessage(2013, LogLevel.Warning, "Not joined yet: {Url}: {Reason} Trying again.")]
    public static partial void JoinFailed(this ILogger logger, Uri url, string reason);

    [LoggerMessage(2014, LogLevel.Warning,
        "The initial cluster in the settings is not the one node {Name} began with; its directory knows its cluster "
        + "({Cluster}), and that counts.")]
    public static partial void InitialClusterIgnored(this ILogger logger, string name, string cluster);

    [LoggerMessage(2015, LogLevel.Error, "Removed: {Message}")]
    public static partial void WasRemoved(this ILogger logger, string message);

    [LoggerMessage(2016, LogLevel.Information, "The cluster knows now that this node is at {PeerUrl}.")]
    public static partial void ToldAddress(this ILogger logger, string peerUrl);

    [LoggerMessage(2017, LogLevel.Warning, "The cluster could not be told this node's address yet: {Reason}")]
    public static partial void AddressNotTold(this ILogger logger, string reason);

    [LoggerMessage(2018, LogLevel.Error, "A call failed unexpectedly: {Method}")]
    public static partial void CallFailed(ILogger logger, Exception exception, string method);

    [LoggerMessage(2011, LogLevel.Warning,
        "Too many nodes that are not among the peers ({Count}); closed a connection from {From}.")]
    public static partial void TooManyGuests(this ILogger logger, int count, string from);
}
