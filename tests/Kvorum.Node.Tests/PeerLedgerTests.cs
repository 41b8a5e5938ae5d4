using Kvorum.Raft;
using Kvorum.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kvorum.Node.Tests;

/// <summary>What a node remembers of its peers' directories.</summary>
public sealed class PeerLedgerTests
{
    [Fact]
    public async Task The_identity_is_read_while_the_disk_hangs_and_shows_only_what_is_durable()
    {
        var path = Directory.CreateTempSubdirectory("kvorum-ledger-").FullName;
        try
        {
            var disk = new UnwellDisk();
            using var directory = DataDirectory.Open(disk, path, 77, new NodeId(1), newIncarnation: 11, "a test");
            var ledger = new PeerLedger(directory, 12, NullLogger.Instance, static _ => { });
            var members = new Membership([new NodeId(1), new NodeId(2)], []);
            ledger.SetMembership(members, members.Members);

            disk.HangSyncs("identity.tmp");
            var hello = new PeerHello(77, Node: 2, To: 1, Incarnation: 22, RememberedIncarnation: 0);
            var judged = Task.Run(() => ledger.Judge(hello), TestContext.Current.CancellationToken);
            await TestCluster.UntilAsync("the gate waits for the disk", () => disk.Waiting == 1);
            var read = Task.Run(() => ledger.Identity, TestContext.Current.CancellationToken);
            await TestCluster.UntilAsync("the identity was read meanwhile", () => read.IsCompleted);
            Assert.Empty((await read).Peers);
            Assert.False(judged.IsCompleted);

            disk.LetSyncsGo();
            Assert.Null(await judged);
            Assert.Equal([new PeerIdentity(new NodeId(2), 22, IsReplaced: false)], ledger.Identity.Peers);
        }
        finally
        {
            Directory.Delete(path, recursive: true);
        }
    }

    [Theory]
    [InlineData(5, 0, 0, false)] // It voted in the term it was found with.
    [InlineData(6, 0, 0, true)] // It voted in a later one.
    [InlineData(5, 5, 40, false)]
    [InlineData(5, 5, 41, true)] // It acknowledged more in this term.
    [InlineData(5, 4, 41, false)] // In an older term: a later leader may have replaced it since.
    [InlineData(5, 6, 41, true)]
    [InlineData(5, 6, 40, false)] // An older entry, acknowledged before the term was on the disk.
    public void A_directory_with_less_than_a_peer_remembers_has_lost_something(
        ulong term, ulong acknowledgedTerm, ulong acknowledgedIndex, bool isLost)
    {
        var path = Directory.CreateTempSubdirectory("kvorum-ledger-").FullName;
        try
        {
            using var directory = DataDirectory.Open(
                new FileDisk(), path, 77, new NodeId(1), newIncarnation: 11, "a test");
            var posted = new List<Input>();
            var ledger = new PeerLedger(directory, 12, NullLogger.Instance, posted.Add) { Found = (5, 40) };
            var members = new Membership([new NodeId(1), new NodeId(2)], []);
            ledger.SetMembership(members, members.Members);
            var hello = new PeerHello(77, Node: 2, To: 1, Incarnation: 22, RememberedIncarnation: 11)
            {
                Promise = new PeerPromise(term, acknowledgedTerm, acknowledgedIndex),
            };
            Assert.Equal(isLost, ledger.Judge(hello) is not null);
            Assert.Equal(!isLost, ledger.Identity.MayVote);
            Assert.Equal(isLost, ledger.Identity.Incarnation != 11);
            Assert.Equal(isLost, posted.Contains(new Standing(new NodeId(1), MayVote: false, 12)));

            // Of another directory, or after the first words, it means nothing.
            Assert.Null(ledger.Judge(hello with { Promise = new PeerPromise(99, 99, 99) }));
        }
        finally
        {
            Directory.Delete(path, recursive: true);
        }
    }

    [Fact]
    public void A_directory_that_replaced_another_begins_anew_under_an_incarnation_that_nobody_met()
    {
        var path = Directory.CreateTempSubdirectory("kvorum-ledger-").FullName;
        try
        {
            using var directory = DataDirectory.Open(
                new FileDisk(), path, 77, new NodeId(1), newIncarnation: 11, "a test");
            var posted = new List<Input>();
            var ledger = new PeerLedger(directory, 12, NullLogger.Instance, posted.Add);
            var members = new Membership([new NodeId(1), new NodeId(2)], []);
            ledger.SetMembership(members, members.Members);
            var hello = new PeerHello(77, Node: 2, To: 1, Incarnation: 22, RememberedIncarnation: 10);

            Assert.NotNull(ledger.Judge(hello)); // The peer must see the next incarnation, so it must come again.
            Assert.Equal((12UL, false), (ledger.Identity.Incarnation, ledger.Identity.MayVote));
            Assert.Contains(new Standing(new NodeId(1), MayVote: false, 12), posted);
            Assert.Null(ledger.Judge(hello)); // Once is enough.
            Assert.Equal(12UL, ledger.Identity.Incarnation);
        }
        finally
        {
            Directory.Delete(path, recursive: true);
        }
    }

    [Fact]
    public void A_hello_tells_what_the_same_directory_promised_and_nothing_of_another_one()
    {
        var book = new PromiseBook();
        var raft = new RaftNode(
            new RaftOptions { Node = new NodeId(1), Group = new GroupId(1), Seed = 1 },
            new RecoveredState(
                default, EntryId.Start, null, LogIndex.Zero, new Membership([new NodeId(1), new NodeId(2)], []),
                [new LogEntry(new EntryId(new Term(3), new LogIndex(1)), EntryKind.NoOp, default)], MayVote: true, []));
        var two = new NodeId(2);
        var group = new GroupId(1);
        book.Begin(two, 22);
        book.Note(new AppendReply(group, two, raft.Node, new Term(4), true, new LogIndex(1), EntryId.Start), raft);
        Assert.Equal(new PeerPromise(0, 4, 1), book.Of(two, 22));
        book.Note(new AppendReply(group, two, raft.Node, new Term(3), true, new LogIndex(1), EntryId.Start), raft);
        book.Note(new VoteReply(group, two, raft.Node, new Term(6), IsPreVote: false, Granted: false), raft);
        book.Note(new VoteReply(group, two, raft.Node, new Term(9), IsPreVote: true, Granted: true), raft);
        Assert.Equal(new PeerPromise(6, 4, 1), book.Of(two, 22));
        Assert.Equal(default, book.Of(two, 23));
        book.Begin(two, 22);
        Assert.Equal(new PeerPromise(6, 4, 1), book.Of(two, 22));
        book.Begin(two, 23);
        Assert.Equal(default, book.Of(two, 23));
    }
}
