using Kvorum.Raft;

namespace Kvorum.Kv;

/// <summary>Receives a snapshot's bytes in order.</summary>
public delegate void ByteSink(ReadOnlySpan<byte> bytes);

/// <summary>Fills the buffer with the next bytes of a snapshot; 0 at the end.</summary>
public delegate int ByteSource(Span<byte> buffer);

/// <summary>Hears of a row that was written; its spans are valid during the call.</summary>
public delegate void RowWritten(in Row row);

/// <summary>Settings of the state machine: equal on every replica of a group, or they diverge.</summary>
public sealed record KvOptions
{
    /// <summary>
    /// The most client sessions kept; the one used least recently (by log index) gives way. Default 100,000.
    /// </summary>
    public int SessionsMax { get; init; } = 100_000;

    /// <summary>The most answers kept per session. Default 64.</summary>
    public int AnswersPerSessionMax { get; init; } = 64;

    /// <summary>
    /// The most bytes of recorded answers over all sessions, 64 each and their details; above it the sessions used
    /// least recently give way. At least what one session may hold. Default 256 MiB.
    /// </summary>
    public long RecordedBytesMax { get; init; } = 256L << 20;

    /// <summary>The most leases. Default 1,000,000.</summary>
    public int LeasesMax { get; init; } = 1_000_000;
}

/// <summary>
/// The replicated state machine: same log, same state, same bytes. One thread applies; any thread reads views of the
/// engine.
/// </summary>
public sealed class KvMachine
{
    private readonly IEngine _engine;
    private readonly SessionTable _sessions;
    private readonly LeaseTable _leases;
    private readonly KvTransaction _kv;

    /// <param name="engine">Empty, and used by this state machine alone.</param>
    /// <param name="options">Equal on every replica.</param>
    public KvMachine(IEngine engine, KvOptions options)
    {
        // An engine that keeps its rows over a restart must keep the sessions and the hash with them; none does yet.
        Invariant.Holds(engine.Applied == LogIndex.Zero, "A state machine starts on an empty engine.");
        _engine = engine;
        _sessions = new SessionTable(options);
        _leases = new LeaseTable(options.LeasesMax);
        _kv = new KvTransaction(engine, _sessions, _leases);
    }

    public IEngine Engine => _engine;

    /// <summary>The last entry applied (published or not).</summary>
    public LogIndex Applied { get; private set; }

    /// <summary>The newest revision (published or not).</summary>
    public long Revision => _kv.Revision;

    /// <summary>
    /// Running hash over the effects of every entry so far: equal at equal applied index on every replica.
    /// </summary>
    public ulong StateHash => _kv.Hash;

    public int SessionCount => _sessions.Count;

    public int LeaseCount => _leases.Count;

    /// <summary>
    /// Lets one caller hear of all leases there are, then, on the applying thread, of every one that is granted,
    /// renewed or gone. After a restore it hears of all anew.
    /// </summary>
    public void FollowLeases(Action<LeaseChange> changed)
    {
        _kv.LeaseChanged = changed;
        TellLeases();
    }

    /// <summary>
    /// Hears, on the applying thread, of every row as it is written, before it is published; null when nobody watches.
    /// </summary>
    public RowWritten? Written
    {
        get => _kv.Written;
        set => _kv.Written = value;
    }

    /// <summary>A lease as of the last entry applied; null when there is none. On the applying thread.</summary>
    public LeaseView? FindLease(long id, bool withKeys) => _leases.Find(id) is { } lease
        ? new LeaseView(lease.Id, lease.TtlSeconds, lease.RenewedAt, withKeys ? [.. lease.Keys] : [])
        : null;

    /// <summary>The ids of all leases, rising. On the applying thread.</summary>
    public IReadOnlyList<long> LeaseIds() => [.. _leases.All.Select(lease => lease.Id)];

    /// <summary>Applies one entry, in log order. Not visible to views before <see cref="Publish"/>.</summary>
    /// <remarks>
    /// One exception: a transaction that reads at an old revision publishes what was applied before it.
    /// </remarks>
    /// <returns>The command's result; default for entries that are not commands.</returns>
    /// <exception cref="InvariantException">
    /// The entry is out of order or malformed: a bug; stop the replica, never skip.
    /// </exception>
    public CommandResult Apply(in LogEntry entry)
    {
        Invariant.Holds(entry.Index == Applied.Next, "Entries are applied in log order, each once (paper §5.3).");
        _kv.Begin(Applied, entry.Id);
        CommandResult result = default;
        switch (entry.Kind)
        {
            case EntryKind.NoOp:
            case EntryKind.Membership:
                break;
            case EntryKind.Command:
                result = ApplyCommand(entry.Payload, entry.Index);
                break;
            default:
                throw new InvariantException("An entry's kind is known to every replica that applies it.");
        }

#if MUTANTS
        if (KvMutants.RevisionReused && entry.Kind == EntryKind.Command)
        {
            _kv.CountWithoutWrite();
        }

#endif
        Applied = entry.Index;
        _kv.AddToHash(entry.Index.Value, ((ulong)entry.Kind << 8) | (ulong)result.Status);
        _kv.AddToHash((ulong)_kv.Revision, (ulong)result.Count);
        return result;
    }

    /// <summary>Makes everything applied so far visible to new views.</summary>
    public void Publish()
    {
        if (_engine.Applied != Applied)
        {
#if MUTANTS
            _engine.Publish(Applied, KvMutants.RevisionReused ? _kv.LastWritten : _kv.Revision);
#else
            _engine.Publish(Applied, _kv.Revision);
#endif
        }
    }

    /// <summary>
    /// Captures the state for a snapshot without stopping writes: cheap, on the applying thread. Publishes what was
    /// applied, so that rows, sessions and hash are of one moment.
    /// </summary>
    public KvCapture Capture()
    {
        Publish();
        var leases = _leases.All.Select(lease => new LeaseView(lease.Id, lease.TtlSeconds, lease.RenewedAt, []));
        return new KvCapture(_engine.OpenView(), _sessions.Capture(), [.. leases], _kv.Hash);
    }

    /// <summary>Replaces all state by a snapshot's.</summary>
    /// <exception cref="EngineCorruptException">
    /// The bytes are not a snapshot body. The state is lost then: restore another snapshot, or stop.
    /// </exception>
    public void Restore(ByteSource source)
    {
        _engine.Clear();
        _sessions.Clear();
        _leases.Clear();
        var reader = new SnapshotReader(source);
        var header = reader.ReadTo(_engine, _sessions, _leases);
        _kv.Reset(header.Applied, header.Revision, header.CompactedRevision, header.StateHash);
        Applied = header.Applied;
        TellLeases();
    }

    private void TellLeases()
    {
        _kv.LeaseChanged?.Invoke(default);
        foreach (var lease in _leases.All)
        {
            _kv.LeaseChanged?.Invoke(new LeaseChange(lease.Id, lease.TtlSeconds, lease.RenewedAt));
        }
    }

    private CommandResult ApplyCommand(ReadOnlyMemory<byte> payload, LogIndex index)
    {
        var input = new ByteReader(payload);
        var envelope = CommandCodec.ReadEnvelope(ref input);
        Invariant.Holds(!input.IsFailed, "A command in the log has a well-formed envelope of a known version.");
        if (envelope.Session is not { } stamp)
        {
            return Run(envelope, ref input);
        }

        var fingerprint = Fingerprint(envelope, input.Rest);
        if (_kv.FindAnswer(stamp, fingerprint, index, out var result) == SessionAnswer.Answered)
        {
            // A refusal was not recorded under this sequence, so it has no revision of its own.
            return result.Revision == 0 ? result with { Revision = _kv.Revision } : result;
        }

        result = Run(envelope, ref input);
        _kv.RecordAnswer(stamp, fingerprint, index, result);
        return result;
    }

    private CommandResult Run(in CommandEnvelope envelope, ref ByteReader input)
    {
        if (envelope.Kind == CommandKind.Put)
        {
            return Put.ApplyEncoded(_kv, ref input, envelope.BodyFlags);
        }

        var command = CommandCodec.ReadBody(envelope.Kind, envelope.BodyFlags, ref input, depth: 0);
        Invariant.Holds(command is not null && input.IsComplete, "A command in the log is known and well formed.");
        return command.Apply(_kv);
    }

    /// <summary>Tells two commands apart that a client sent under one sequence number.</summary>
    private static ulong Fingerprint(in CommandEnvelope envelope, ReadOnlySpan<byte> body) =>
        Kv.StateHash.Of(((ulong)envelope.Kind << 8) | (ulong)envelope.BodyFlags, body);
}
