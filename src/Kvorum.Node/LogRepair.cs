using Kvorum.Raft;
using Kvorum.Storage;
using Microsoft.Extensions.Logging;

namespace Kvorum.Node;

/// <summary>
/// Opens the log, and repairs one that lost something: what is provably intact is kept, the vote is given up durably
/// before anything else changes, and the rest comes from the peers.
/// </summary>
/// <remarks>
/// A node that lost log entries or its vote must never act as if it had them (protocol-aware recovery, Alagappan and
/// others, FAST 2018). To its peers it is a replaced directory: another incarnation, sent the log, not counted.
/// </remarks>
internal sealed class LogRepair(
    NodeOptions options, IDisk disk, DataDirectory directory, SnapshotStore snapshots, ulong newIncarnation,
    ILogger logger)
{
    /// <summary>Why this start gave up its vote; null when the log was whole.</summary>
    public string? Reason { get; private set; }

    /// <exception cref="DataDirectoryException">
    /// The log is damaged and this node is the only voter; nothing was changed.
    /// </exception>
    public Wal Open(out RecoveredLog log)
    {
        var walOptions = new WalOptions
        {
            ClusterId = options.ClusterId,
            Node = new NodeId(options.Node),
            SegmentBytes = options.WalSegmentBytes,
            RefusesTornTail = directory.IsLogDamaged,
        };

        var wal = TryOpen(walOptions, out log, out var problem, out var salvaged);
        if (wal is not null)
        {
            directory.RememberLog();
            directory.ForgetDamage(); // What could not be read then can be read now, or its repair is done.
            return wal;
        }

        var kept = Keep(salvaged);
        var lost = RangeOf(kept, salvaged.LastSeen);
        RefuseWhenAlone(kept, problem, lost);
        Reason = $"{problem} Lost: {lost}.";
        directory.Explain(Reason);
        directory.BeginRepair(newIncarnation);
        Log.LogDamaged(
            logger, problem, lost, directory.DamagedWalPath, directory.Identity.Incarnation.ToString("x", null));
        wal = Wal.Rebuild(disk, directory.WalPath, directory.DamagedWalPath, walOptions, NodeRecovery.Group, kept);
        directory.ForgetDamage();
        log = new RecoveredLog(kept.HardState, kept.LogStart, kept.Entries);
        return wal;
    }

    /// <returns>Null when the log lost something; <paramref name="problem"/> says what.</returns>
    private Wal? TryOpen(WalOptions walOptions, out RecoveredLog log, out string problem, out SalvagedLog salvaged)
    {
        log = new RecoveredLog(default, EntryId.Start, []);
        if (directory.HasLostLog)
        {
            problem = $"{directory.WalPath}: expected the log that was here, found no segment.";
            salvaged = SalvagedLog.Nothing;
            return null;
        }

        try
        {
            var wal = Wal.Open(disk, directory.WalPath, walOptions);
            log = wal.TakeRecovered(NodeRecovery.Group);
            problem = Gap(log) ?? "";
            salvaged = SalvagedLog.Nothing;
            if (problem.Length == 0)
            {
                return wal;
            }

            salvaged = new SalvagedLog(
                log.HardState, true, log.LogStart, log.Entries, log.LogStart.Index.Plus((ulong)log.Entries.Count));
            wal.Dispose();
        }
        catch (WalCorruptException e)
        {
            problem = e.Message;
            salvaged = Wal.Salvage(disk, directory.WalPath, walOptions, NodeRecovery.Group);
        }

        return null;
    }

    /// <summary>A whole log whose beginning no whole snapshot reaches is of no use.</summary>
    private string? Gap(RecoveredLog log)
    {
        var covered = snapshots.Newest?.LastIncluded ?? EntryId.Start;
        return log.LogStart.Index <= covered.Index
            ? null
            : $"{directory.WalPath}: the log begins after entry {log.LogStart}, and no whole snapshot reaches further "
                + $"than {covered}{string.Concat(snapshots.Damaged.Select(damaged => $" ({damaged})"))}.";
    }

    /// <summary>What may stay: a log that a whole snapshot, or nothing at all, precedes without a gap.</summary>
    private SalvagedLog Keep(SalvagedLog salvaged)
    {
        var covered = snapshots.Newest?.LastIncluded ?? EntryId.Start;
        if (salvaged.IsStartKnown && salvaged.LogStart.Index <= covered.Index)
        {
            return salvaged;
        }

        var at = salvaged.Entries.ToList().FindIndex(entry => entry.Id == covered);
        IReadOnlyList<LogEntry> entries = at >= 0 ? [.. salvaged.Entries.Skip(at + 1)] : [];
        return salvaged with { IsStartKnown = true, LogStart = covered, Entries = entries };
    }

    private static string RangeOf(SalvagedLog kept, LogIndex lastSeen)
    {
        var from = kept.LogStart.Index.Plus((ulong)kept.Entries.Count).Next;
        return lastSeen >= from
            ? $"entries {from} to {lastSeen}, perhaps more, and what was voted for"
            : $"perhaps entries after {from.Previous}, and what was voted for";
    }

    private void RefuseWhenAlone(SalvagedLog kept, string problem, string lost)
    {
        var membership = snapshots.Newest?.Membership
            ?? new Membership(options.Initial.Select(member => new NodeId(member.Node)), []);
        foreach (var entry in kept.Entries)
        {
            if (entry.Kind is EntryKind.Membership && MembershipCodec.TryDecode(entry.Payload, out var newer, out _))
            {
                membership = newer;
            }
        }

        if (membership.Voters.Length == 1 && membership.IsVoter(new NodeId(options.Node)))
        {
            throw new DataDirectoryException(
                $"{problem} Lost here: {lost}. This node is the only voter it knows of, so no other has them. "
                + "It does not start, and the log was not changed. Restore the data directory from a backup; or, if "
                + "the cluster has other voters by now, remove the directory and add the node to the cluster again.");
        }
    }
}
