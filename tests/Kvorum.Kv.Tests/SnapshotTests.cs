using System.Buffers.Binary;
using Kvorum.Raft;
using static Kvorum.Kv.Tests.TestMachine;

namespace Kvorum.Kv.Tests;

/// <summary>
/// The snapshot body: a replica that loads one is the replica that wrote it, in rows, sessions and hash.
/// </summary>
public class SnapshotTests
{
    private static SessionStamp Stamp(int client, ulong sequence) => new((UInt128)client, sequence);

    /// <summary>
    /// Rows with history, tombstones, leases and a compaction; sessions with gaps, details and dropped details.
    /// </summary>
    private static TestMachine Rich(KvOptions? options = null)
    {
        var test = new TestMachine(options);
        for (var i = 0; i < 40; i++)
        {
            test.Put($"k{i % 13}", $"value {i}", Stamp(i % 3, (ulong)(i / 3) + 1));
        }

        test.Apply(new LeaseGrant(long.MinValue, 10));
        test.Apply(new LeaseGrant(5, LeaseGrant.TtlSecondsMax));
        test.Apply(new Put(Bytes("leased"), Bytes("0")) { Lease = 5 });
        test.Apply(new Put(Bytes("leased"), Bytes("1")) { Lease = long.MinValue });
        test.Apply(new Put(Bytes("large"), new byte[200_000]) { Session = Stamp(7, 1) });
        test.Apply(new Put(Bytes("large"), Bytes("2")) { Session = Stamp(7, 2), ReturnPrevious = true });
        test.Apply(new DeleteRange(Bytes("k1"), Bytes("k2")) { Session = Stamp(7, 5), ReturnPrevious = true });
        test.Delete("k7");
        test.Apply(EntryKind.NoOp, []);
        var range = new TxnOperation { Range = RangeQuery.Prefix(Bytes("k")) with { Limit = 2 } };
        var nested = new TxnOperation { Txn = new Txn([], [range], []) };
        test.Apply(new Txn([], [range, nested], []) { Session = Stamp(8, 1) });
        test.Apply(new Compact(20));
        test.Put("k7", "again");
        return test;
    }

    private static TestMachine Restored(byte[] body, int chunk = int.MaxValue, KvOptions? options = null)
    {
        var test = new TestMachine(options);
        test.Machine.Restore(Source(body, chunk));
        return test;
    }

    private static List<string> Rows(TestMachine test)
    {
        test.Machine.Publish();
        using var view = test.Engine.OpenView();
        var rows = new RowCollector();
        view.ScanAll(ref rows);
        return rows.Found;
    }

    [Fact]
    public void A_restored_replica_equals_the_one_that_was_captured()
    {
        using var original = Rich();
        using var copy = Restored(original.Snapshot());
        Assert.Equal(original.Machine.Applied, copy.Machine.Applied);
        Assert.Equal(original.Machine.Revision, copy.Machine.Revision);
        Assert.Equal(original.Machine.StateHash, copy.Machine.StateHash);
        Assert.Equal(original.Machine.SessionCount, copy.Machine.SessionCount);
        Assert.Equal(original.Engine.CompactedRevision, copy.Engine.CompactedRevision);
        Assert.Equal(original.Engine.KeyCount, copy.Engine.KeyCount);
        Assert.Equal(Rows(original), Rows(copy));
        Assert.Equal(original.Snapshot(), copy.Snapshot());
    }

    [Fact]
    public void A_restored_replica_goes_on_as_if_it_had_never_been_captured()
    {
        using var original = Rich();
        using var copy = Restored(original.Snapshot());
        Command[] commands =
        [
            new Put(Bytes("k1"), Bytes("new")),
            new Append(Bytes("list"), Bytes("x")) { Session = Stamp(7, 3) },
            new Put(Bytes("large"), Bytes("2")) { Session = Stamp(7, 2), ReturnPrevious = true },
            new ExpireSessions(39),
            new Put(Bytes("k2"), Bytes("v")) { Session = Stamp(1, 90) },
            new Compact(21),
            new DeleteRange(Bytes("k"), Bytes("l")),
        ];
        foreach (var command in commands)
        {
            var expected = original.Apply(command);
            var actual = copy.Apply(command);
            Assert.Equal(expected with { Detail = null }, actual with { Detail = null });
            Assert.Equal(original.Machine.StateHash, copy.Machine.StateHash);
        }

        Assert.Equal(original.Snapshot(), copy.Snapshot());
    }

    [Fact]
    public void A_restored_session_repeats_its_answers()
    {
        using var original = Rich();
        using var copy = Restored(original.Snapshot());
        var delete = new DeleteRange(Bytes("k1"), Bytes("k2")) { Session = Stamp(7, 5), ReturnPrevious = true };
        var result = copy.Apply(delete);
        Assert.Equal(["k1", "k10", "k11", "k12"], ((KeyValue[])result.Detail!).Select(row => Text(row.Key)));
        Assert.Equal(4, result.Count);
        var put = new Put(Bytes("large"), Bytes("2")) { Session = Stamp(7, 2), ReturnPrevious = true };
        Assert.True(copy.Apply(put).IsDetailDropped);
        Assert.Equal(CommandStatus.SequenceReused, copy.Put("large", "3", Stamp(7, 2)).Status);
    }

    [Fact]
    public void An_empty_replica_has_a_snapshot_too()
    {
        using var original = new TestMachine();
        using var copy = Restored(original.Snapshot());
        Assert.Equal((LogIndex.Zero, 1L), (copy.Machine.Applied, copy.Machine.Revision));
        Assert.Equal(2, copy.Put("a", "1").Revision);
    }

    [Fact]
    public void A_capture_holds_its_moment_while_commands_go_on()
    {
        using var test = Rich();
        var expected = test.Snapshot();
        using var capture = test.Machine.Capture();
        test.Put("k1", "later", Stamp(7, 9));
        test.Apply(new ExpireSessions(ulong.MaxValue));
        test.Apply(new Compact(30));
        test.Machine.Publish();
        Assert.Equal(expected, Snapshot(capture));
        Assert.NotEqual(capture.StateHash, test.Machine.StateHash);
        Assert.NotEqual(capture.Applied, test.Machine.Applied);
    }

    [Fact]
    public void A_capture_publishes_what_was_applied()
    {
        using var test = new TestMachine();
        test.Put("a", "1");
        using var capture = test.Machine.Capture();
        Assert.Equal((1UL, 2L), (capture.Applied.Value, capture.Revision));
        Assert.Equal(test.Machine.StateHash, capture.StateHash);
    }

    [Fact]
    public void A_restore_replaces_everything_that_was_there()
    {
        using var original = Rich();
        using var other = new TestMachine();
        other.Put("zzz", "old", Stamp(99, 1));
        other.Machine.Publish();
        using var oldView = other.Engine.OpenView();
        other.Machine.Restore(Source(original.Snapshot()));
        Assert.Null(other.Get("zzz"));
        Assert.Equal(Rows(original), Rows(other));
        Assert.Equal(CommandStatus.UnknownSession, other.Put("zzz", "new", Stamp(99, 2)).Status);
        Assert.True(oldView.TryGet(Bytes("zzz").Span, 2, out _));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(65_536)]
    public void A_source_may_hand_out_any_number_of_bytes_at_a_time(int chunk)
    {
        using var original = Rich();
        using var copy = Restored(original.Snapshot(), chunk);
        Assert.Equal(original.Machine.StateHash, copy.Machine.StateHash);
        Assert.Equal(Rows(original), Rows(copy));
    }

    [Fact]
    public void Chunks_are_at_most_64_kib()
    {
        using var test = Rich();
        test.Apply(new Put(Bytes("huge"), new byte[KvLimits.ValueBytesMax]));
        using var capture = test.Machine.Capture();
        var sizes = new List<int>();
        capture.WriteTo(chunk => sizes.Add(chunk.Length));
        Assert.All(sizes, size => Assert.InRange(size, 1, 65_536));
        Assert.True(sizes.Count > 24);
        using var copy = Restored(test.Snapshot());
        Assert.Equal(KvLimits.ValueBytesMax, copy.Row("huge")!.Value.Length);
    }

    [Fact]
    public void A_body_cut_anywhere_is_corrupt()
    {
        using var test = Rich();
        test.Apply(new DeleteRange(Bytes("large"), default));
        test.Apply(new Compact(test.Machine.Revision));
        var body = test.Snapshot();
        Assert.InRange(body.Length, 1_000, 10_000);
        for (var length = 0; length < body.Length; length++)
        {
            Assert.Throws<EngineCorruptException>(() => Restored(body[..length]).Dispose());
        }
    }

    [Fact]
    public void Bytes_behind_the_end_are_corrupt()
    {
        using var test = Rich();
        Assert.Throws<EngineCorruptException>(() => Restored([.. test.Snapshot(), 0]).Dispose());
    }

    /// <summary>
    /// Damage is refused or loads as other content; it never leads to another exception or a huge array.
    /// </summary>
    [Fact]
    public void A_damaged_byte_anywhere_never_crashes_the_reader()
    {
        using var test = Rich();
        test.Apply(new DeleteRange(Bytes("large"), default));
        test.Apply(new Compact(test.Machine.Revision));
        var body = test.Snapshot();
        var refused = 0;
        for (var i = 0; i < body.Length; i++)
        {
            var damaged = body.ToArray();
            damaged[i] ^= (byte)(1 << (i % 8));
            try
            {
                Restored(damaged).Dispose();
            }
            catch (EngineCorruptException)
            {
                refused++;
            }
        }

        Assert.InRange(refused, body.Length / 10, body.Length);
    }

    [Fact]
    public void A_body_of_another_version_or_magic_is_refused_by_name()
    {
        using var test = new TestMachine();
        var body = test.Snapshot();
        var otherVersion = body.ToArray();
        otherVersion[4] = 1;
        var version = Assert.Throws<EngineCorruptException>(() => Restored(otherVersion));
        Assert.Contains("version", version.Message, StringComparison.Ordinal);
        var otherMagic = body.ToArray();
        otherMagic[0] ^= 1;
        Assert.Throws<EngineCorruptException>(() => Restored(otherMagic));
    }

    [Fact]
    public void The_body_starts_as_the_format_says()
    {
        using var test = new TestMachine();
        test.Put("a", "1");
        var body = test.Snapshot();
        Assert.Equal("KVBS"u8.ToArray(), body[..4]);
        Assert.Equal(2, BinaryPrimitives.ReadUInt16LittleEndian(body.AsSpan(4)));
        Assert.Equal(1UL, BinaryPrimitives.ReadUInt64LittleEndian(body.AsSpan(6)));
        Assert.Equal(2L, BinaryPrimitives.ReadInt64LittleEndian(body.AsSpan(14)));
        Assert.Equal(test.Machine.StateHash, BinaryPrimitives.ReadUInt64LittleEndian(body.AsSpan(30)));
        Assert.Equal([1, 0, 1, 0, 1, 0, 0, 0], body[38..46]);
    }

    [Fact]
    public void More_sessions_than_this_replica_may_keep_are_refused()
    {
        using var test = Rich();
        Assert.Throws<EngineCorruptException>(
            () => Restored(test.Snapshot(), options: new KvOptions { SessionsMax = 2 }).Dispose());
    }

    [Fact]
    public void No_view_shows_a_body_that_turned_out_to_be_damaged()
    {
        using var original = Rich();
        using var test = new TestMachine();
        Assert.Throws<EngineCorruptException>(() => test.Machine.Restore(Source(original.Snapshot()[..^1])));
        using var view = test.Engine.OpenView();
        Assert.Equal(0, RangeQuery.Prefix(default).Execute(view).Count);
    }

    private struct RowCollector() : IRowVisitor
    {
        public List<string> Found { get; } = [];

        public readonly bool Visit(in Row row)
        {
            Found.Add($"{Text(row.Key)}={Convert.ToHexString(row.Value)} {row.Header}");
            return true;
        }
    }
}
