using System.Buffers;
using static Kvorum.Raft.Tests.Replicas;

namespace Kvorum.Raft.Tests;

/// <summary>
/// docs/formats.md, peer messages and log entry: every message survives a round trip, no bytes can do harm.
/// </summary>
public sealed class CodecTests
{
    private static readonly NodeId From = new(0x1122334455667788);
    private static readonly NodeId To = new(3);

    public static TheoryData<string> Kinds() => [.. Samples().Select(message => message.GetType().Name).Distinct()];

    [Fact]
    public void Every_message_has_a_sample()
    {
        var kinds = typeof(Message).Assembly.GetTypes().Where(type => type.IsSubclassOf(typeof(Message)));
        Assert.Equal(kinds.Order(ByName), Samples().Select(message => message.GetType()).Distinct().Order(ByName));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Message_survives_a_round_trip(string kind)
    {
        foreach (var message in Samples().Where(message => message.GetType().Name == kind))
        {
            var bytes = Encode(message);
            Assert.True(MessageCodec.TryDecode(bytes, out var decoded, out var error), error);
            Assert.Equal(message.GetType(), decoded!.GetType());
            Assert.Equal(Describe(message), Describe(decoded));
            Assert.Equal(bytes, Encode(decoded));
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Message_cut_at_any_byte_or_with_bytes_left_over_is_refused_with_a_reason(string kind)
    {
        foreach (var message in Samples().Where(message => message.GetType().Name == kind))
        {
            var bytes = Encode(message);
            for (var length = 0; length < bytes.Length; length++)
            {
                Assert.False(MessageCodec.TryDecode(bytes.AsMemory(0, length), out var cut, out var error));
                Assert.Null(cut);
                Assert.False(string.IsNullOrEmpty(error));
            }

            Assert.False(MessageCodec.TryDecode((byte[])[.. bytes, 0], out _, out _));
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Changed_byte_never_throws_and_what_is_accepted_encodes_to_the_same_bytes(string kind)
    {
        foreach (var message in Samples().Where(message => message.GetType().Name == kind))
        {
            var bytes = Encode(message);
            for (var place = 0; place < bytes.Length; place++)
            {
                foreach (byte value in new byte[] { 0, 1, 2, 127, 255 })
                {
                    byte[] changed = [.. bytes];
                    changed[place] = value;
                    if (MessageCodec.TryDecode(changed, out var decoded, out _))
                    {
                        Assert.Equal(changed, Encode(decoded!));
                    }
                }
            }
        }
    }

    [Fact]
    public void Random_bytes_of_any_length_never_throw()
    {
        var random = new Random(1);
        for (var i = 0; i < 20_000; i++)
        {
            var bytes = new byte[random.Next(200)];
            random.NextBytes(bytes);
            if (bytes.Length > 1 && i % 2 == 0)
            {
                (bytes[0], bytes[1]) = (MessageCodec.Version, (byte)random.Next(1, 15));
            }

            if (MessageCodec.TryDecode(bytes, out var message, out _))
            {
                Assert.Equal(bytes, Encode(message!));
            }
        }
    }

    [Fact]
    public void Count_that_the_frame_cannot_hold_allocates_nothing()
    {
        var bytes = Encode(new AppendEntries(Group, From, To, new Term(1), EntryId.Start, LogIndex.Zero, ReadOnlyMemory<LogEntry>.Empty));
        bytes.AsSpan(bytes.Length - 4).Fill(0xff);

        MessageCodec.TryDecode(bytes, out _, out _);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.False(MessageCodec.TryDecode(bytes, out _, out _));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 10_000);
    }

    [Fact]
    public void Entries_with_a_gap_a_falling_term_or_a_term_beyond_the_leaders_are_refused()
    {
        foreach (var entries in new[] { Entries(5, 1), Entries(4, 2, 1), Entries(4, 4), [Entries(4, 2)[0], Entries(4, 2)[0]] })
        {
            var message = new AppendEntries(Group, From, To, new Term(3), Id(1, 4), LogIndex.Zero, entries);
            Assert.False(MessageCodec.TryDecode(Encode(message), out _, out var error));
            Assert.Contains("follow", error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Unknown_version_and_kind_are_named()
    {
        var bytes = Encode(new TimeoutNow(Group, From, To, new Term(1)));
        bytes[0] = 9;
        Assert.False(MessageCodec.TryDecode(bytes, out _, out var error));
        Assert.Contains("version 3, found 9", error, StringComparison.Ordinal);
        (bytes[0], bytes[1]) = (MessageCodec.Version, 77);
        Assert.False(MessageCodec.TryDecode(bytes, out _, out error));
        Assert.Contains("77", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Entry_has_the_layout_of_the_format_page()
    {
        var entry = new LogEntry(Id(0x0102, 0x0304), EntryKind.Command, new byte[] { 9, 8 });
        var bytes = new byte[EntryCodec.Size(entry)];

        Assert.Equal(bytes.Length, EntryCodec.Encode(entry, bytes));
        Assert.Equal([2, 0, 0, 0, 2, 2, 1, 0, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0, 0, 0, 9, 8], bytes);
        Assert.True(EntryCodec.TryDecode((byte[])[.. bytes, 7], out var decoded, out var consumed));
        Assert.Equal((entry.Id, entry.Kind, bytes.Length), (decoded.Id, decoded.Kind, consumed));
        for (var length = 0; length < bytes.Length; length++)
        {
            Assert.False(EntryCodec.TryDecode(bytes.AsMemory(0, length), out _, out _));
        }
    }

    private static Comparer<Type> ByName => Comparer<Type>.Create((left, right) => string.CompareOrdinal(left.Name, right.Name));

    private static byte[] Encode(Message message)
    {
        var output = new ArrayBufferWriter<byte>();
        MessageCodec.Encode(message, output);
        return output.WrittenSpan.ToArray();
    }

    /// <summary>Records print every field; the memories in them are printed by content.</summary>
    private static string Describe(Message message) => message switch
    {
        AppendEntries append => append with { Entries = default } + string.Join(
            ',', append.Entries.ToArray().Select(entry => $"{entry.Id} {entry.Kind} {Convert.ToHexString(entry.Payload.Span)}")),
        InstallSnapshot install => install with { Data = default } + Convert.ToHexString(install.Data.Span),
        ForwardProposals forward => forward with { Commands = default } + string.Join(
            ',', forward.Commands.ToArray().Select(command => Convert.ToHexString(command.Span))),
        _ => message.ToString(),
    };

    private static IEnumerable<Message> AdminSamples(Term term, EntryId id)
    {
        var record = new MemberRecord(
            new NodeId(7), 99, true, new NodeId(2), "seven", "http://h7:2380", ["http://h7:2379", "http://é:1"]);
        var membership = new Membership(
            [new NodeId(1), new NodeId(2)], [new NodeId(2), new NodeId(3)], [new NodeId(7)], [new NodeId(3)], [record],
            [new NodeId(9), new NodeId(8)]);
        yield return new RequestVote(Group, From, To, term, id, false, null, true, 99, record);
        yield return new MembershipNotice(Group, From, To, term, new LogIndex(5), membership);
        yield return new MembershipNotice(Group, From, To, term, new LogIndex(5), Membership.Empty);
        var change = new MembershipChange(MembershipChangeKind.Replace, new NodeId(2), record, StaysLearner: true);
        yield return new ChangeRequest(Group, From, To, term, 3, true, change);
        yield return new ChangeRequest(Group, From, To, term, 3, false, change with { New = null });
        yield return new TransferRequest(Group, From, To, term, 3, null);
        yield return new TransferRequest(Group, From, To, term, 3, new NodeId(4));
        yield return new AdminReply(Group, From, To, term, 3, AdminResult.Busy, id, "because");
    }

    private static IEnumerable<Message> Samples()
    {
        var term = new Term(3);
        var id = Id(2, 70_000);
        var membership = new Membership([new NodeId(1), new NodeId(3), new NodeId(9)], [new NodeId(4)]);
        var snapshot = new SnapshotDescriptor(id, membership, 1UL << 40, 0xdeadbeef);
        yield return new RequestVote(Group, From, To, term, id, true, new NodeId(5), false);
        yield return new RequestVote(Group, From, To, term, id, false, null, true);
        yield return new VoteReply(Group, From, To, term, true, false);
        yield return new AppendEntries(Group, From, To, term, id, new LogIndex(9), Entries(70_000, 2, 3, 3));
        yield return new AppendEntries(Group, From, To, term, id, new LogIndex(9), ReadOnlyMemory<LogEntry>.Empty);
        yield return new AppendReply(Group, From, To, term, false, new LogIndex(8), id);
        yield return new AppendReply(Group, From, To, term, false, new LogIndex(8), id, HasLostTail: true);
        yield return new Heartbeat(Group, From, To, term, new EntryId(term, new LogIndex(8)), 77);
        yield return new HeartbeatReply(Group, From, To, term, ulong.MaxValue);
        yield return new InstallSnapshot(Group, From, To, term, snapshot, 99, new byte[] { 1, 2, 3 });
        yield return new InstallSnapshot(Group, From, To, term, snapshot, 0, ReadOnlyMemory<byte>.Empty);
        yield return new InstallSnapshotReply(Group, From, To, term, id, 99, true);
        yield return new ForwardProposals(Group, From, To, term, 5, 6, Propose("a", "", "bcd").Commands);
        yield return new ForwardReply(Group, From, To, term, 5, 6, 7, true, id);
        yield return new ReadIndexRequest(Group, From, To, term, 5);
        yield return new ReadIndexReply(Group, From, To, term, 5, true, new LogIndex(6));
        yield return new TimeoutNow(Group, From, To, term);
        yield return new RequestVote(Group, From, To, term, id, false, null, true, 77);
        yield return new MendRequest(Group, From, To, term, id, new LogIndex(9));
        yield return new MendReply(Group, From, To, term, MendResult.Unknown, id, EntryId.Start, default);
        yield return new MendReply(
            Group, From, To, term, MendResult.Found, Id(3, 70_004), id, Entries(70_000, 2, 3, 3));
        foreach (var message in AdminSamples(term, id))
        {
            yield return message;
        }
    }
}
