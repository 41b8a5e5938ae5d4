using Kvorum.Kv;
using Kvorum.Raft;
using Kvorum.Storage.Tests;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kvorum.Node.Tests;

/// <summary>
/// A whole node loses power at every write, sync and rename of a scripted life, with many shares of what was not
/// synced. The next process finds what was acknowledged and the vote, nothing nobody asked for, and gets to exactly the
/// cluster's state.
/// </summary>
public sealed class OpenPathTests
{
    /// <summary>How many images the story must give at least.</summary>
    private const int ImagesMin = 2_000;

    private static readonly (Survival Survival, int Times)[] _shares =
    [
        (Survival.None, 1), (Survival.All, 1), (Survival.Prefix, 3), (Survival.Subset, 5),
    ];

    [Fact]
    public void A_node_that_opens_any_of_two_thousand_crash_images_keeps_what_it_promised()
    {
        var total = new CrashStory(new CrashDisk()).Run();
        var images = 0;
        for (var operation = 1; operation <= total; operation++)
        {
            var disk = new CrashDisk { PowerFailsAt = operation };
            var story = new CrashStory(disk);
            Assert.Throws<PowerFailureException>(() => story.Run());
            var expected = new Expected(story);
            foreach (var (survival, times) in _shares)
            {
                for (var i = 0; i < times; i++)
                {
                    expected.AssertKept(
                        disk.AfterCrash(survival, new Random((operation * 100) + ((int)survival * 10) + i)));
                    images++;
                }
            }
        }

        TestContext.Current.SendDiagnosticMessage($"{images} crash images of {total} operations, opened as nodes.");
        Assert.True(images >= ImagesMin, $"{images} images of {total} operations");
    }

    /// <summary>What the next process must come to, whatever was lost.</summary>
    private sealed class Expected
    {
        private readonly CrashStory _story;
        private readonly NodePromises _promises;
        private readonly LogEntry[] _log;
        private readonly ulong _hash;
        private readonly Membership _membership;
        private readonly Term _term;

        public Expected(CrashStory story)
        {
            _story = story;
            _promises = story.Promises;
            _term = new Term(1000);
            var next = new LogIndex((ulong)story.Log.Count + 1);
            _log = [.. story.Log, new LogEntry(new EntryId(_term, next), EntryKind.NoOp, default)];
            var machine = CrashStory.Replay(_log);
            _hash = machine.StateHash;
            machine.Engine.Dispose();
            _membership = CrashStory.NewestMembership(_log);
        }

        public void AssertKept(CrashDisk image)
        {
            HardState state;
            EntryId common;
            using (var recovery = NodeRecovery.Open(LoneNode.Options, image, 50, NullLogger.Instance))
            {
                Assert.Null(recovery.Damage);
                AssertIdentity(recovery);
                AssertLog(recovery.State);
                state = recovery.State.HardState;
                common = LastCommon(recovery.State);
            }

            var sent = new List<Message>();
            var node = new LoneNode(image, incarnation: 51, observer: null, sent.Add);
            Assert.Equal(state.Term.Value, node.Node.Status.Term);
            AssertVotesOnce(node, state, sent);
            AssertGetsThere(node, common);
            node.Stop();
        }

        private void AssertIdentity(NodeRecovery recovery)
        {
            var identity = recovery.Directory.Identity;
            Assert.True(identity.MayVote);
            Assert.Equal((LoneNode.Cluster, new NodeId(LoneNode.Id)), (identity.ClusterId, identity.Node));
            Assert.True(_promises.Incarnation == 0 || identity.Incarnation == _promises.Incarnation);
            var known = identity.Peers.Select(peer => (peer.Node.Value, peer.Incarnation));
            foreach (var met in _promises.Met)
            {
                Assert.Contains((met.Node, met.Incarnation), known);
            }
        }

        private void AssertLog(RecoveredState state)
        {
            Assert.True(_promises.MayBe(state.HardState), $"{state.HardState} after a vote {_promises.Vote}");
            var snapshot = state.Snapshot?.LastIncluded ?? EntryId.Start;
            Assert.True(snapshot.Index.Value >= _promises.Snapshot, "A snapshot that was told is kept.");
            Assert.True(snapshot.Index.Value <= _promises.Committed, "A snapshot holds only what was committed.");
            Assert.True(snapshot == EntryId.Start || _log[(int)snapshot.Index.Value - 1].Id == snapshot);
            Assert.Equal(snapshot.Index, state.Applied);
            Assert.True(state.LogStart.Index <= snapshot.Index, "The snapshot reaches the log.");
            for (var i = 0; i < state.Entries.Count; i++)
            {
                var entry = state.Entries[i];
                Assert.Equal(state.LogStart.Index.Plus((ulong)i + 1), entry.Index);
                Assert.True(entry.Term <= state.HardState.Term, "A term is written before its entries.");
                Assert.True(_promises.WasAsked(entry), $"Nobody asked to keep {entry.Id}.");
                Assert.True(
                    entry.Index.Value > _promises.Match
                    || NodePromises.AreEqual(entry, _log[(int)entry.Index.Value - 1]),
                    $"{entry.Id} was acknowledged with another content.");
            }

            var end = Math.Max(snapshot.Index.Value, state.LogStart.Index.Plus((ulong)state.Entries.Count).Value);
            Assert.True(end >= _promises.Match, $"It ends at {end} and acknowledged {_promises.Match}.");
        }

        /// <summary>The last entry that the node and the cluster have in common.</summary>
        private EntryId LastCommon(RecoveredState state)
        {
            var common = state.Snapshot?.LastIncluded ?? EntryId.Start;
            foreach (var entry in state.Entries)
            {
                if (entry.Index > common.Index && (int)entry.Index.Value <= _story.Log.Count
                    && _log[(int)entry.Index.Value - 1].Id == entry.Id)
                {
                    common = entry.Id;
                }
            }

            return common;
        }

        /// <summary>Whoever asks for the vote that was given to somebody else does not get it.</summary>
        private void AssertVotesOnce(LoneNode node, HardState state, List<Message> sent)
        {
            if (_promises.Vote.VotedFor is not { } before || _promises.Vote.Term != state.Term)
            {
                return;
            }

            var other = before == new NodeId(1) ? new NodeId(2) : new NodeId(1);
            var last = _log[^1].Id;
            node.Deliver(new RequestVote(
                NodeRecovery.Group, other, new NodeId(LoneNode.Id), state.Term, last, false, null, IsTransfer: true));
            Assert.DoesNotContain(sent, message => message is VoteReply { Granted: true });
        }

        /// <summary>The next leader sends what is missing; then state and members are the cluster's.</summary>
        private void AssertGetsThere(LoneNode node, EntryId common)
        {
            LogEntry[] missing = [.. _log.Skip((int)common.Index.Value)];
            node.Deliver(new AppendEntries(
                NodeRecovery.Group, new NodeId(1), new NodeId(LoneNode.Id), _term, common, _log[^1].Index, missing));
            node.Tick();
            var status = node.Node.Status;
            Assert.Equal(((ulong)_log.Length, _hash), (status.StateHashIndex, status.StateHash));
            Assert.Equal(
                _membership.Members.Select(member => member.Node.Value), status.Members.Select(member => member.Node));
            foreach (var (key, value) in _promises.Answered)
            {
                var query = new RangeQuery(System.Text.Encoding.UTF8.GetBytes(key), default);
                var read = node.Node.ReadAsync(
                    query, Consistency.Local, TestCluster.Patience, CancellationToken.None);
                Assert.True(read.IsCompletedSuccessfully);
#pragma warning disable xUnit1031 // It has completed, and the node's turns are taken on this thread.
                Assert.Equal(value, System.Text.Encoding.UTF8.GetString(Assert.Single(read.Result.Rows).Value));
#pragma warning restore xUnit1031
            }
        }
    }
}
