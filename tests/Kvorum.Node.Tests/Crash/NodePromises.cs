using Kvorum.Kv;
using Kvorum.Raft;

namespace Kvorum.Node.Tests;

/// <summary>
/// What a node said to others, so that it must keep it, and all it ever asked its disk to hold, so that nothing else
/// may be found there. Promises are taken from the messages that left.
/// </summary>
internal sealed class NodePromises : ReplicaObserver
{
    private readonly SortedDictionary<ulong, List<LogEntry>> _asked = [];
    private readonly List<HardState> _states = [default];
    private int _keptState;

    /// <summary>All entries up to here were acknowledged and not replaced by a leader since.</summary>
    public ulong Match { get; private set; }

    /// <summary>The vote given last, with its term.</summary>
    public HardState Vote { get; private set; }

    /// <summary>The highest index that was told to be committed, or applied.</summary>
    public ulong Committed { get; private set; }

    /// <summary>Writes whose clients were answered.</summary>
    public List<(string Key, string Value)> Answered { get; } = [];

    /// <summary>The directory's incarnation; 0 until it was made for sure.</summary>
    public ulong Incarnation { get; set; }

    /// <summary>Peers that were let in, and not removed since.</summary>
    public List<PeerHello> Met { get; } = [];

    /// <summary>The newest snapshot that was taken and told.</summary>
    public ulong Snapshot { get; set; }

    public void OnCommitTold(ulong index) => Committed = Math.Max(Committed, index);

    /// <summary>A leader is about to replace what follows this index.</summary>
    public void OnReplacedAfter(ulong index) => Match = Math.Min(Match, index);

    /// <summary>The node let this message out.</summary>
    public void OnSent(Message message)
    {
        switch (message)
        {
            case AppendReply { Accepted: true } reply:
                Match = Math.Max(Match, reply.Match.Value);
                break;
            case InstallSnapshotReply { Installed: true } reply:
                Match = Math.Max(Match, reply.LastIncluded.Index.Value);
                break;
            case VoteReply { Granted: true, IsPreVote: false } reply:
                Vote = new HardState(reply.Term, reply.To);
                _keptState = _states.LastIndexOf(Vote);
                Assert.True(_keptState > 0, "A vote leaves that was never to be written.");
                break;
            case AppendEntries append:
                OnLed(append.Commit);
                break;
            case Heartbeat heartbeat:
                OnLed(heartbeat.Commit.Index);
                break;
            default:
                break;
        }
    }

    public bool WasAsked(LogEntry entry) =>
        _asked.TryGetValue(entry.Index.Value, out var asked) && asked.Exists(other => AreEqual(other, entry));

    /// <summary>Whether this may be found as term and vote: asked for, and not older than what was promised.</summary>
    public bool MayBe(HardState state) => _states.LastIndexOf(state) >= _keptState;

    public static bool AreEqual(LogEntry one, LogEntry other) =>
        one.Id == other.Id && one.Kind == other.Kind && one.Payload.Span.SequenceEqual(other.Payload.Span);

    public override void Stepped(RaftNode raft, Input input, Effects effects)
    {
        if (effects.HardState is { } state)
        {
            _states.Add(state);
        }

        foreach (var entry in effects.Append)
        {
            if (!_asked.TryGetValue(entry.Index.Value, out var asked))
            {
                _asked.Add(entry.Index.Value, asked = []);
            }

            asked.Add(entry);
        }
    }

    public override void Started(RaftNode raft, KvMachine machine, RecoveredState recovered)
    {
    }

    public override void Synced(WriteId last)
    {
    }

    public override void Applied(
        ReadOnlySpan<LogEntry> entries, ReadOnlySpan<CommandResult> results, ulong stateHash) =>
        OnCommitTold(entries[^1].Index.Value);

    public override void Restored(SnapshotDescriptor snapshot, ulong stateHash)
    {
    }

    /// <summary>With one other voter awake, what the node commits as a leader is on its own disk.</summary>
    private void OnLed(LogIndex commit)
    {
        OnCommitTold(commit.Value);
        Match = Math.Max(Match, commit.Value);
    }
}
