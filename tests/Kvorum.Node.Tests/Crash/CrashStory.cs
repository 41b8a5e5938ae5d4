using Kvorum.Kv;
using Kvorum.Raft;
using Kvorum.Storage;
using Kvorum.Storage.Tests;

namespace Kvorum.Node.Tests;

/// <summary>
/// A scripted life of node 3, in three processes: it follows two leaders, has its tail replaced, votes, rotates and
/// cuts its log, is sent a snapshot, leads, and sees four changes of the membership. Node 1 is the only other that
/// answers, so its log is the cluster's.
/// </summary>
internal sealed class CrashStory(CrashDisk disk)
{
    private static readonly GroupId _group = NodeRecovery.Group;
    private static readonly NodeId _me = new(LoneNode.Id);

    private readonly Queue<Message> _sent = new();
    private LoneNode? _node;
    private int _keys;

    public NodePromises Promises { get; } = new();

    /// <summary>The cluster's log from index 1 on, as node 1 has it.</summary>
    public List<LogEntry> Log { get; } = [];

    private LoneNode Node => _node ?? throw new InvalidOperationException("No process runs.");

    /// <summary>Runs it and returns how many disk operations it took.</summary>
    public int Run()
    {
        Start(incarnation: 11);
        Promises.Incarnation = 11;
        Meet(peer: 1, incarnation: 101);
        Meet(peer: 2, incarnation: 102);
        Vote(candidate: 1, term: 1);
        Feed(leader: 1, term: 1, count: 9);
        Vote(candidate: 2, term: 2);
        ReplaceTail(leader: 2, term: 2, replaced: 3, count: 9);
        FeedMembership(leader: 2, term: 2, new Membership([new NodeId(1), new NodeId(2), _me], [new NodeId(4)]));
        Feed(leader: 2, term: 2, count: 6);
        TakeSnapshot();
        Feed(leader: 2, term: 2, count: 9);
        Restart(incarnation: 12);
        SendSnapshot(leader: 2, term: 2, ahead: 20);
        Feed(leader: 2, term: 2, count: 9);
        Lead();
        Put(8);
        Change(new MemberChange(MemberChangeKind.Remove, 4, null));
        Change(new MemberChange(MemberChangeKind.Update, 1, new MemberAddress(1, "n1", "http://one:1", [])));
        TakeSnapshot();
        Put(8);
        Promises.Met.RemoveAll(hello => hello.Node == 2); // Who is removed is forgotten.
        Change(new MemberChange(MemberChangeKind.Remove, 2, null));
        Restart(incarnation: 13);
        var term = Node.Node.Status.Term + 1;
        Vote(candidate: 1, term);
        Feed(leader: 1, term, count: 9);
        Node.Stop();
        return disk.Operations;
    }

    private void Start(ulong incarnation) => _node = new LoneNode(disk, incarnation, Promises, OnSent);

    private void OnSent(Message message)
    {
        Promises.OnSent(message);
        _sent.Enqueue(message);
    }

    private void Restart(ulong incarnation)
    {
        Node.Stop();
        _sent.Clear();
        Start(incarnation);
    }

    private void Meet(ulong peer, ulong incarnation)
    {
        Node.Meet(peer, incarnation);
        Promises.Met.Add(new PeerHello(LoneNode.Cluster, peer, LoneNode.Id, incarnation, 0));
    }

    private void Vote(ulong candidate, ulong term)
    {
        Node.Deliver(new RequestVote(
            _group, new NodeId(candidate), _me, new Term(term), Last(), IsPreVote: false, null, IsTransfer: true));
        Assert.Equal(new HardState(new Term(term), new NodeId(candidate)), Promises.Vote);
    }

    /// <summary>Entries come in threes; the last three stay uncommitted.</summary>
    private void Feed(ulong leader, ulong term, int count)
    {
        for (var i = 0; i < count; i += 3)
        {
            var committed = Log.Count;
            var previous = Last();
            for (var j = 0; j < 3; j++)
            {
                Log.Add(Command(term, (ulong)Log.Count + 1, $"fed {++_keys}", new string('v', 10 + i)));
            }

            Append(leader, term, previous, committed);
        }
    }

    private void FeedMembership(ulong leader, ulong term, Membership membership)
    {
        var (previous, committed) = (Last(), Log.Count);
        var id = new EntryId(new Term(term), new LogIndex((ulong)Log.Count + 1));
        Log.Add(new LogEntry(id, EntryKind.Membership, MembershipCodec.Encode(membership)));
        Append(leader, term, previous, committed);
    }

    private void ReplaceTail(ulong leader, ulong term, int replaced, int count)
    {
        Log.RemoveRange(Log.Count - replaced, replaced);
        Promises.OnReplacedAfter((ulong)Log.Count);
        Feed(leader, term, count);
    }

    private void Append(ulong leader, ulong term, EntryId previous, int committed)
    {
        Promises.OnCommitTold((ulong)committed);
        LogEntry[] entries = [.. Log.Skip((int)previous.Index.Value)];
        Node.Deliver(new AppendEntries(
            _group, new NodeId(leader), _me, new Term(term), previous, new LogIndex((ulong)committed), entries));
        Assert.Equal((ulong)Log.Count, Promises.Match);
    }

    private void TakeSnapshot()
    {
        var taken = Node.Node.TakeSnapshotAsync(CancellationToken.None);
        Node.Settle();
        Assert.True(taken.IsCompletedSuccessfully, "A snapshot is taken.");
        Promises.Snapshot = Node.Node.Status.AppliedIndex;
    }

    /// <summary>Node 3 was away; what it missed comes as a snapshot, in pieces.</summary>
    private void SendSnapshot(ulong leader, ulong term, int ahead)
    {
        for (var i = 0; i < ahead; i++)
        {
            Log.Add(Command(term, (ulong)Log.Count + 1, $"fed {++_keys}", "missed"));
        }

        Promises.OnCommitTold((ulong)Log.Count);
        var sender = SnapshotOf(Log);
        var sent = sender.Newest;
        Assert.NotNull(sent);
        for (ulong offset = 0; offset < sent.Length;)
        {
            var data = sender.ReadRaw(sent, offset, 400);
            Node.Deliver(new InstallSnapshot(_group, new NodeId(leader), _me, new Term(term), sent, offset, data));
            offset += (ulong)data.Length;
        }

        Assert.Equal((ulong)Log.Count, Promises.Match);
        Promises.Snapshot = (ulong)Log.Count;
    }

    private void Lead()
    {
        for (var i = 0; i < 100 && Node.Node.Status.Role is not NodeRole.Leader; i++)
        {
            Node.Tick();
            Answer();
        }

        Assert.Equal(NodeRole.Leader, Node.Node.Status.Role);
    }

    private void Put(int count)
    {
        for (var i = 0; i < count; i++)
        {
            var (key, value) = ($"put {++_keys}", $"answered {_keys}");
            var put = TestCluster.PutOf(key, value);
            Complete(Node.Node.ProposeAsync(put, TestCluster.Patience, CancellationToken.None));
            Promises.Answered.Add((key, value));
        }
    }

    private void Change(MemberChange change) => Complete(
        Node.Node.ChangeMembersAsync(change, isDryRun: false, TestCluster.Patience, CancellationToken.None));

    private void Complete(Task task)
    {
        Node.Settle();
        Answer();
        for (var i = 0; i < 20 && !task.IsCompleted; i++)
        {
            Node.Tick();
            Answer();
        }

        Assert.True(task.IsCompletedSuccessfully, $"{task.Exception}");
    }

    /// <summary>Node 1 answers all it was sent.</summary>
    private void Answer()
    {
        while (_sent.TryDequeue(out var message))
        {
            if (message.To == new NodeId(1) && ReplyTo(message) is { } reply)
            {
                Node.Deliver(reply);
            }
        }
    }

    private Message? ReplyTo(Message message) => message switch
    {
        RequestVote vote => new VoteReply(_group, vote.To, _me, vote.Term, vote.IsPreVote, Granted: true),
        Heartbeat heartbeat => new HeartbeatReply(_group, heartbeat.To, _me, heartbeat.Term, heartbeat.ReadRound),
        AppendEntries append => Accept(append),
        _ => null,
    };

    private AppendReply Accept(AppendEntries append)
    {
        var at = (int)append.Previous.Index.Value;
        if (at > Log.Count || (at > 0 && Log[at - 1].Id != append.Previous))
        {
            return new AppendReply(_group, append.To, _me, append.Term, false, append.Previous.Index, Last());
        }

        foreach (var entry in append.Entries.Span)
        {
            if (at < Log.Count && Log[at].Id != entry.Id)
            {
                Log.RemoveRange(at, Log.Count - at);
            }

            if (at == Log.Count)
            {
                Log.Add(entry);
            }

            at++;
        }

        return new AppendReply(
            _group, append.To, _me, append.Term, true, new LogIndex((ulong)at), EntryId.Start);
    }

    private EntryId Last() => Log.Count == 0 ? EntryId.Start : Log[^1].Id;

    public static LogEntry Command(ulong term, ulong index, string key, string value)
    {
        var put = TestCluster.PutOf(key, value);
        var payload = new byte[CommandCodec.Size(put)];
        CommandCodec.Encode(put, payload);
        return new LogEntry(new EntryId(new Term(term), new LogIndex(index)), EntryKind.Command, payload);
    }

    public static KvMachine Replay(IEnumerable<LogEntry> log)
    {
        var machine = new KvMachine(MemoryEngine.Create(), new KvOptions());
        foreach (var entry in log)
        {
            machine.Apply(entry);
        }

        machine.Publish();
        return machine;
    }

    /// <summary>A store with a snapshot of the state after these entries.</summary>
    public static SnapshotStore SnapshotOf(List<LogEntry> log)
    {
        var store = new SnapshotStore(new CrashDisk(), "/sender", _group);
        using var capture = Replay(log).Capture();
        using var writer = store.Create(log[^1].Id, NewestMembership(log));
        capture.WriteTo(writer.Write);
        writer.Publish();
        return store;
    }

    public static Membership NewestMembership(IEnumerable<LogEntry> log)
    {
        var membership = Membership.Initial(LoneNode.Options.Initial.Select(member => member.ToRecord()));
        foreach (var entry in log.Where(entry => entry.Kind is EntryKind.Membership))
        {
            Assert.True(MembershipCodec.TryDecode(entry.Payload, out membership, out var error), error);
        }

        return membership;
    }
}
