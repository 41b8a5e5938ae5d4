using Kvorum.Node;
using Microsoft.Extensions.Logging;

namespace Kvorum.Server;

/// <summary>
/// Looks now and then whether the cluster still has this node, and whether it knows the right addresses of it.
/// </summary>
internal sealed class MembershipWatch(
    KvorumNode node, ServerOptions options, Func<IReadOnlyList<string>> thoseWhoDisown, ILogger logger,
    TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    /// <summary>A node that removed itself goes on for a while, so that the others hear of it.</summary>
    private static readonly TimeSpan RemovedFor = TimeSpan.FromSeconds(1);

    /// <summary>A peer may not have heard yet of a node just added: only refusals that last count.</summary>
    private static readonly TimeSpan DisownedFor = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan TellAgainMax = TimeSpan.FromSeconds(30);

    private readonly TaskCompletionSource<string> _removed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long? _removedSince;
    private long? _disownedSince;
    private long _toldAt;
    private TimeSpan _tellAgainAfter = TimeSpan.Zero;

    /// <summary>Ends when this node is no member any more, with a message for people.</summary>
    public Task<string> Removed => _removed.Task;

    public async Task RunAsync(CancellationToken stop)
    {
        try
        {
            while (!_removed.Task.IsCompleted)
            {
                await Task.Delay(Interval, time, stop).ConfigureAwait(false);
                LookForRemoval();
                await TellAddressesAsync(stop).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            // The server stops.
        }
    }

    private void LookForRemoval()
    {
        var now = time.GetTimestamp();
        _removedSince = node.Status.IsRemoved ? _removedSince ?? now : null;
        var disowning = thoseWhoDisown();
        _disownedSince = disowning.Count > 0 ? _disownedSince ?? now : null;
        if (_removedSince is { } removed && time.GetElapsedTime(removed, now) >= RemovedFor)
        {
            Tell("its log says so");
        }
        else if (_disownedSince is { } disowned && time.GetElapsedTime(disowned, now) >= DisownedFor)
        {
            Tell($"{string.Join(", ", disowning)} say{(disowning.Count == 1 ? "s" : "")} so");
        }
    }

    private void Tell(string source)
    {
        var message = $"node {options.Name} was removed from cluster {node.Status.ClusterId:x16} ({source}). To add it "
            + $"again as a new member, delete {options.DataPath} and start it with --join URL.";
        logger.WasRemoved(message);
        _removed.TrySetResult(message);
    }

    /// <summary>Tells the cluster where this node is when the membership says otherwise.</summary>
    private async Task TellAddressesAsync(CancellationToken stop)
    {
        if (node.Status is not { Leader: not null, IsJoint: false } status || !IsToldWrong(status)
            || (_tellAgainAfter > TimeSpan.Zero && time.GetElapsedTime(_toldAt) < _tellAgainAfter))
        {
            return;
        }

        var own = OwnAddress();
        try
        {
            var change = new MemberChange(MemberChangeKind.Update, own.Node, own);
            await node.ChangeMembersAsync(change, isDryRun: false, options.RequestTimeout, stop).ConfigureAwait(false);
            logger.ToldAddress(own.PeerUrl);
            _tellAgainAfter = TimeSpan.Zero;
        }
        catch (KvorumException error)
        {
            // Another change is under way, or there is no leader for the moment.
            _toldAt = time.GetTimestamp();
            _tellAgainAfter = TimeSpan.FromTicks(
                Math.Clamp(_tellAgainAfter.Ticks * 2, TimeSpan.TicksPerSecond, TellAgainMax.Ticks));
            logger.AddressNotTold(error.Message);
        }
    }

    private bool IsToldWrong(NodeStatus status)
    {
        var told = status.Members.FirstOrDefault(member => member.Node == node.Status.Node);
        if (told.Node == 0 || told.Address is not { } address)
        {
            return false; // No member yet, or the whole cluster goes by its flags.
        }

        // Client URLs that were never told are told by every handshake.
        var own = OwnAddress();
        return address.Name.Length == 0 || address.PeerUrl != own.PeerUrl
            || (address.ClientUrls.Count > 0 && !address.ClientUrls.SequenceEqual(own.ClientUrls));
    }

    private MemberAddress OwnAddress() => new(
        node.Status.Node,
        options.Name,
        options.InitialCluster.Single(member => member.Name == options.Name).PeerUrl.AbsoluteUri.TrimEnd('/'),
        [.. options.AdvertiseClientUrls.Select(url => url.AbsoluteUri.TrimEnd('/'))]);
}
