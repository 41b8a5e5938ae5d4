using Kvorum.Raft;
using Kvorum.Storage;
using Microsoft.Extensions.Logging;

namespace Kvorum.Node;

/// <summary>
/// Opens the log. One that is damaged in the middle is mended with what peers have, and then nothing was forgotten; of
/// any other damage what is provably intact is kept, the vote is given up durably before anything else changes, and the
/// rest comes from the leader.
/// </summary>
/// <remarks>
/// A node that lost log entries or its vote must never act as if it had them (protocol-aware recovery, Alagappan and
/// others, FAST 2018). To its peers it is a replaced directory: another incarnation, sent the log, not counted.
/// </remarks>
internal sealed class LogRepair(
    NodeOptions options, IDisk disk, DataDirectory directory, SnapshotStore snapshots, ulong newIncarnation,
    ILogger logger)
{
    private SalvagedLog _kept = SalvagedLog.Nothing;
    private string _problem = "";
    private string _lost = "";

    /// <summary>Why this start gave up its vote; null when the log was whole, or was mended.</summary>
    public string? Reason { get; private set; }

    /// <summary>What is left of a log that is to be mended.</summary>
    public BrokenLog? Broken { get; private set; }

    /// <summary>What the directory says of itself by now.</summary>
    public NodeIdentity Identity => directory.Identity;

    private WalOptions WalOptions => new()
    {
        ClusterId = options.ClusterId,
        Node = new NodeId(options.Node),
        SegmentBytes = options.WalSegmentBytes,
        RefusesTornTail = directory.IsLogDamaged,
    };

    private LogIndex Covered => snapshots.Newest?.LastIncluded.Index ?? LogIndex.Zero;

    /// <returns>Null when the log must be mended first (<see cref="Broken"/>).</returns>
    /// <exception cref="DataDirectoryException">
    /// The log is damaged and this node is the only voter; nothing was changed.
    /// </exception>
    public Wal? Open(out RecoveredLog log)
    {
        var wal = TryOpen(out log, out _problem, out var salvaged);
        if (wal is not null)
        {
            directory.RememberLog();
            directory.ForgetDamage(); // What could not be read then can be read now, or its repair is done.
            return wal;
        }

        _kept = Keep(salvaged);
        _lost = RangeOf(_kept, salvaged.LastSeen);
        if (FindBroken() is { } broken)
        {
            if (Mender(broken).Mended is { } mended)
            {
                return Adopt(mended, out log); // What is damaged was needed for nothing any more.
            }

            RefuseWhenAlone([.. _kept.Entries, .. broken.Runs[^1].Entries]);
            Log.LogIsMended(logger, _problem);
            Broken = broken;
            return null;
        }

        RefuseWhenAlone(_kept.Entries);
        return GiveUp(reason =>
        {
            directory.Explain(reason);
            directory.BeginRepair(newIncarnation);
        }, out log);
    }

    /// <summary>Puts the log together again; pure.</summary>
    public LogMender Mender(BrokenLog broken) => new(
        new MendingOptions
        {
            Node = new NodeId(options.Node),
            Group = NodeRecovery.Group,
            GiveUpTicks = 3 * options.ElectionTicks,
            LeaderSilenceTicksMax = options.ElectionTicks,
            EntriesMax = options.AppendEntriesMax,
        },
        broken, Covered);

    /// <summary>The mended log takes the damaged one's place: this node forgot nothing.</summary>
    public Wal Adopt(MendedLog mended, out RecoveredLog log)
    {
        var walOptions = WalOptions with { RefusesTornTail = false };
        Wal.WriteMended(disk, directory.MendedWalPath, walOptions, NodeRecovery.Group, mended);
        directory.AdoptMendedLog();
        var wal = Wal.Open(disk, directory.WalPath, walOptions);
        log = wal.TakeRecovered(NodeRecovery.Group);
        var last = log.LogStart.Index.Plus((ulong)log.Entries.Count);
        Log.LogMended(logger, last.Value, log.HardState.Term.Value, directory.DamagedWalPath);
        return wal;
    }

    /// <summary>Goes on with what is provably intact, without a vote.</summary>
    /// <param name="giveUpVote">Durably, with these words for a person; marks the log as damaged before.</param>
    public Wal GiveUp(Action<string> giveUpVote, out RecoveredLog log)
    {
        Reason = $"{_problem} Lost: {_lost}.";
        giveUpVote(Reason);
        Log.LogDamaged(
            logger, _problem, _lost, directory.DamagedWalPath, directory.Identity.Incarnation.ToString("x", null));
        var wal = Wal.Rebuild(
            disk, directory.WalPath, directory.DamagedWalPath, WalOptions, NodeRecovery.Group, _kept);
        directory.RememberLog();
        directory.ForgetDamage();
        log = new RecoveredLog(_kept.HardState, _kept.LogStart, _kept.Entries);
        return wal;
    }

    /// <returns>Null when the log lost something; <paramref name="problem"/> says what.</returns>
    private Wal? TryOpen(out RecoveredLog log, out string problem, out SalvagedLog salvaged)
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
            var wal = Wal.Open(disk, directory.WalPath, WalOptions);
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
            salvaged = Wal.Salvage(disk, directory.WalPath, WalOptions, NodeRecovery.Group);
        }

        return null;
    }

    /// <summary>A log whose end is certain, and for whose middle peers can be asked.</summary>
    private BrokenLog? FindBroken()
    {
        var broken = directory.HasLostLog
            ? null
            : Wal.ReadBroken(disk, directory.WalPath, WalOptions, NodeRecovery.Group);
        return broken is { Runs: [.., { Entries.Count: > 0 }] } || broken?.LastIndex <= Covered ? broken : null;
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

    private void RefuseWhenAlone(IEnumerable<LogEntry> entries)
    {
        var membership = snapshots.Newest?.Membership
            ?? new Membership(options.Initial.Select(member => new NodeId(member.Node)), []);
        foreach (var entry in entries)
        {
            if (entry.Kind is EntryKind.Membership && MembershipCodec.TryDecode(entry.Payload, out var newer, out _))
            {
                membership = newer;
            }
        }

        if (membership.Voters.Length == 1 && membership.IsVoter(new NodeId(options.Node)))
        {
            throw new DataDirectoryException(
                $"{_problem} Lost here: {_lost}. This node is the only voter it knows of, so no other has them. "
                + "It does not start, and the log was not changed. Restore the data directory from a backup; or, if "
                + "the cluster has other voters by now, remove the directory and add the node to the cluster again.");
        }
    }
}
