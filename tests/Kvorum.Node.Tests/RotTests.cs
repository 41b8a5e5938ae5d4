using System.Globalization;
using System.Text;
using Kvorum.Kv;
using Kvorum.Raft;
using Kvorum.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kvorum.Node.Tests;

/// <summary>
/// Every byte of a small node's files rots, sectors are written elsewhere, lost or cut off. Each time the node starts
/// as it was, at once or with what a peer has; or it refuses by name, or it starts without a vote and with nothing that
/// it never had.
/// </summary>
public sealed class RotTests
{
    private const string Root = "/n1";
    private const int SectorBytes = 512;
    private const int EntriesMade = 30;

    [Theory]
    [InlineData(3)]
    [InlineData(1)]
    public void A_flipped_bit_at_any_byte_is_harmless_or_detected(int voters)
    {
        var (disk, whole) = Make(voters);
        var outcomes = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var (path, bytes) in disk.Files.Where(file => !file.Key.EndsWith("lock", StringComparison.Ordinal)))
        {
            for (var i = 0; i < bytes.Length; i++)
            {
                var copy = disk.Copy();
                copy.Files[path][i] ^= (byte)(1 << (i % 8));
                Count(outcomes, Open(copy, voters, whole, $"{path} byte {i}"));
            }
        }

        AssertAllWays(outcomes, voters);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(1)]
    public void A_sector_that_is_misdirected_lost_or_cut_off_is_harmless_or_detected(int voters)
    {
        var (disk, whole) = Make(voters);
        var outcomes = new SortedDictionary<string, int>(StringComparer.Ordinal);
        var sectors = disk.Files.Where(file => !file.Key.EndsWith("lock", StringComparison.Ordinal))
            .SelectMany(file => Enumerable.Range(0, (file.Value.Length + SectorBytes - 1) / SectorBytes)
                .Select(i => (Path: file.Key, Offset: i * SectorBytes))).ToArray();
        foreach (var (path, offset) in sectors)
        {
            var lost = disk.Copy();
            Sector(lost, path, offset).Clear();
            Count(outcomes, Open(lost, voters, whole, $"{path} lost {offset}"));

            var cut = disk.Copy();
            cut.Files[path] = cut.Files[path][..offset];
            Count(outcomes, Open(cut, voters, whole, $"{path} cut {offset}"));
            foreach (var from in sectors)
            {
                var copy = disk.Copy();
                var source = Sector(disk, from.Path, from.Offset);
                var target = Sector(copy, path, offset);
                source[..Math.Min(source.Length, target.Length)].CopyTo(target);
                Count(outcomes, Open(copy, voters, whole, $"{from} written to {path} {offset}"));
            }
        }

        AssertAllWays(outcomes, voters);
    }

    private static Span<byte> Sector(MemoryDisk disk, string path, int offset)
    {
        var rest = disk.Files[path].AsSpan(offset);
        return rest[..Math.Min(rest.Length, SectorBytes)];
    }

    private static void Count(SortedDictionary<string, int> outcomes, string outcome) =>
        outcomes[outcome] = outcomes.GetValueOrDefault(outcome) + 1;

    private static void AssertAllWays(SortedDictionary<string, int> outcomes, int voters)
    {
        var all = string.Join(", ", outcomes.Select(pair => $"{pair.Value} {pair.Key}"));
        TestContext.Current.SendDiagnosticMessage(all);
        Assert.True(outcomes.GetValueOrDefault("harmless") > 10, all);
        Assert.True(outcomes.GetValueOrDefault("refused") > 10, all);
        Assert.True(voters == 1 || outcomes.GetValueOrDefault("repaired") > 10, all);
        Assert.True(voters == 1 || outcomes.GetValueOrDefault("mended") > 100, all);
        Assert.True(voters > 1 || !(outcomes.ContainsKey("repaired") || outcomes.ContainsKey("mended")), all);
    }

    /// <summary>
    /// Starts from the files and says how that went; fails when it is none of the ways that are allowed.
    /// </summary>
    private static string Open(MemoryDisk disk, int voters, Picture whole, string what)
    {
        try
        {
            using var recovery = NodeRecovery.Open(OptionsOf(voters), disk, newIncarnation: 9, NullLogger.Instance);
            var isMended = recovery.Broken is not null;
            if (isMended)
            {
                var before = disk.Copy();
                Mend(recovery, what);
                var segments = before.Files.Where(file => file.Key.EndsWith(".wal", StringComparison.Ordinal));
                foreach (var (path, bytes) in segments)
                {
                    var aside = path.Replace("/wal/", "/wal.damaged/", StringComparison.Ordinal);
                    Assert.Equal(bytes, disk.Files[aside]); // For a person to look at.
                }
            }

            var found = Picture.Of(recovery);
            if (recovery.Damage is null)
            {
                Assert.True(found.IsAsGoodAs(whole), $"{what}: expected {whole}, found {found}.");
                Assert.Equal(5UL, recovery.Directory.Identity.Incarnation);
                return isMended ? "mended" : "harmless";
            }

            Assert.False(recovery.Directory.Identity.MayVote, what);
            Assert.False(recovery.State.MayVote, what);
            Assert.Equal(9UL, recovery.Directory.Identity.Incarnation);
            Assert.True(found.IsPartOf(whole), $"{what}: {found} is not a part of {whole}.");
            return "repaired";
        }
        catch (DataDirectoryException refusal)
        {
            Assert.Contains(Root, refusal.Message, StringComparison.Ordinal);
            return "refused";
        }
    }

    /// <summary>A peer has the whole log, and an earlier life of its own in which it stood otherwise.</summary>
    private static void Mend(NodeRecovery recovery, string what)
    {
        var initial = new Membership(Enumerable.Range(1, 3).Select(id => new NodeId((ulong)id)), []);
        var peer = new RaftNode(
            new RaftOptions { Node = new NodeId(2), Group = NodeRecovery.Group, Seed = 1 },
            new RecoveredState(
                new HardState(new Term(5), null), EntryId.Start, null, LogIndex.Zero, initial,
                [.. Enumerable.Range(1, EntriesMade).Select(MakeEntry)], true, []));
        var mender = recovery.Mend();
        mender.Peers = [new NodeId(2)];
        var question = mender.OnTick();
        for (var i = 0; question is not null; i++)
        {
            Assert.True(i < 10, $"{what}: asked again and again.");
            var answer = Assert.Single(peer.Step(new Receive(question)).Send);
            question = mender.OnMessage(answer);
        }

        Assert.True(mender.Mended is not null, $"{what}: {mender.MissingFirst} to {mender.MissingLast} are missing.");
        recovery.Adopt(mender.Mended);
    }

    private static NodeOptions OptionsOf(int voters) => new()
    {
        Name = "n1",
        Node = 1,
        ClusterId = 77,
        Voters = [.. Enumerable.Range(1, voters).Select(id => (ulong)id)],
        DataPath = Root,
        WalSegmentBytes = 1024,
    };

    /// <summary>A node with a log in several segments that a snapshot has cut, closed in order.</summary>
    private static (MemoryDisk Disk, Picture Whole) Make(int voters)
    {
        var disk = new MemoryDisk();
        using (var recovery = NodeRecovery.Open(OptionsOf(voters), disk, newIncarnation: 5, NullLogger.Instance))
        {
            for (var index = 1; index <= EntriesMade; index++)
            {
                var entry = MakeEntry(index);
                recovery.Wal.Append(NodeRecovery.Group, new HardState(entry.Term, new NodeId(1)));
                recovery.Wal.Append(NodeRecovery.Group, [entry]);
                recovery.Wal.Sync();
                recovery.Machine.Apply(entry);
                if (index == 20)
                {
                    Snapshot(recovery, entry.Id);
                }
            }

            recovery.Wal.CutBefore(NodeRecovery.Group, new EntryId(new Term(2), new LogIndex(18)));
        }

        using var again = NodeRecovery.Open(OptionsOf(voters), disk.Copy(), newIncarnation: 6, NullLogger.Instance);
        return (disk, Picture.Of(again));
    }

    private static LogEntry MakeEntry(int index)
    {
        var put = TestCluster.PutOf($"key {index % 4}", $"value {index}");
        var payload = new byte[CommandCodec.Size(put)];
        CommandCodec.Encode(put, payload);
        var id = new EntryId(new Term(1 + ((ulong)index / 10)), new LogIndex((ulong)index));
        return new LogEntry(id, EntryKind.Command, payload);
    }

    private static void Snapshot(NodeRecovery recovery, EntryId last)
    {
        recovery.Machine.Publish();
        using var capture = recovery.Machine.Capture();
        using var writer = recovery.Snapshots.Create(last, recovery.State.Membership);
        capture.WriteTo(writer.Write);
        writer.Publish();
    }

    /// <summary>All that a node has after its start.</summary>
    private sealed record Picture(
        string HardState, ulong LogStart, string Snapshot, ulong Applied, ulong StateHash, string Entries, bool MayVote)
    {
        public static Picture Of(NodeRecovery recovery)
        {
            var state = recovery.State;
            return new Picture(
                state.HardState.ToString(), state.LogStart.Index.Value, $"{state.Snapshot?.LastIncluded}",
                state.Applied.Value, recovery.Machine.StateHash, Show(state.Entries), state.MayVote);
        }

        /// <summary>
        /// The whole; only entries that the snapshot covers may be fewer. Without the snapshot all entries there are.
        /// </summary>
        public bool IsAsGoodAs(Picture whole) => (Snapshot.Length == 0
            && whole with { Snapshot = "", LogStart = 0, Applied = 0, StateHash = 0, Entries = Entries } == this
            && Entries == Show(Enumerable.Range(1, EntriesMade).Select(MakeEntry))) || HasLessInFront(whole);

        private bool HasLessInFront(Picture whole) =>
            whole with { LogStart = LogStart, Entries = Entries } == this && LogStart >= whole.LogStart
            && LogStart <= whole.Applied && whole.Entries.EndsWith(Entries, StringComparison.Ordinal)
            && Entries.Split(';').Length == whole.Entries.Split(';').Length - (int)(LogStart - whole.LogStart);

        /// <summary>
        /// Less than the whole, and nothing else: the same snapshot or none, entries from the same log.
        /// </summary>
        public bool IsPartOf(Picture whole) =>
            (Snapshot == whole.Snapshot ? StateHash == whole.StateHash : Snapshot.Length == 0 && Applied == 0)
            && Show(Enumerable.Range(1, EntriesMade).Select(MakeEntry)).Contains(Entries, StringComparison.Ordinal);

        private static string Show(IEnumerable<LogEntry> log)
        {
            var entries = new StringBuilder();
            foreach (var entry in log)
            {
                entries.Append(CultureInfo.InvariantCulture, $"{entry.Id} {Convert.ToHexString(entry.Payload.Span)};");
            }

            return entries.ToString();
        }
    }
}
