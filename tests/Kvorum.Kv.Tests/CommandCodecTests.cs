using System.Reflection;
using static Kvorum.Kv.Tests.TestMachine;

namespace Kvorum.Kv.Tests;

/// <summary>Commands to bytes and back: nothing is lost, nothing malformed is taken, nothing throws.</summary>
public class CommandCodecTests
{
    private static readonly SessionStamp Stamp = new(new UInt128(0x0123_4567_89AB_CDEF, 0xFEDC_BA98_7654_3210), 77);

    private static readonly Txn FullTxn = new(
        [
            new Compare(Bytes("k"), CompareTarget.Value, CompareOperator.NotEqual) { Value = Bytes("v") },
            new Compare(Bytes("a"), CompareTarget.Lease, CompareOperator.Less) { RangeEnd = Bytes("z"), Number = -9 },
        ],
        [
            new TxnOperation { Put = new Put(Bytes("p"), Bytes("v")) { Lease = 3, ReturnPrevious = true } },
            new TxnOperation { Append = new Append(Bytes("l"), Bytes("item")) },
            new TxnOperation { DeleteRange = new DeleteRange(Bytes("d"), Bytes("\0")) { ReturnPrevious = true } },
            new TxnOperation
            {
                Range = new RangeQuery(Bytes("r"), Bytes("s"))
                {
                    AtRevision = 4,
                    Limit = 5,
                    SortOrder = SortOrder.Descend,
                    SortTarget = SortTarget.Value,
                    KeysOnly = true,
                    CountOnly = true,
                    ModRevisionMin = 6,
                    ModRevisionMax = 7,
                    CreateRevisionMin = 8,
                    CreateRevisionMax = 9,
                },
            },
        ],
        [new TxnOperation { Txn = new Txn([], [], [new TxnOperation { Put = new Put(Bytes("n"), default) }]) }]);

    /// <summary>At least one command of each type, with everything set and with nothing set.</summary>
    private static readonly Command[] Commands =
    [
        new Put(Bytes("key"), Bytes("value")),
        new Put(Bytes("key"), default) { Lease = long.MinValue },
        new Put(Bytes("key"), Bytes("value")) { Lease = 7, ReturnPrevious = true, Session = Stamp },
        new Put(new byte[KvLimits.KeyBytesMax], new byte[KvLimits.ValueBytesMax]),
        new Append(Bytes("key"), Bytes("item")),
        new Append(Bytes("key"), default) { Session = Stamp },
        new DeleteRange(Bytes("key"), default),
        new DeleteRange(Bytes("key"), new byte[KvLimits.KeyBytesMax]) { ReturnPrevious = true, Session = Stamp },
        new Txn([], [], []),
        FullTxn,
        FullTxn with { Session = Stamp },
        new Compact(long.MaxValue),
        new Compact(-1) { Session = Stamp },
        new Put(Bytes("key"), default) { KeepsValue = true, KeepsLease = true, ReturnPrevious = true },
        new LeaseGrant(-1, long.MaxValue) { Session = Stamp },
        new LeaseRenew(7),
        new LeaseRevoke(long.MinValue),
        new LeaseExpire(7, ulong.MaxValue, 3),
        new ExpireSessions(ulong.MaxValue),
        new ExpireSessions(0) { Session = new SessionStamp(UInt128.MaxValue, ulong.MaxValue) },
    ];

    public static TheoryData<int> Indexes => [.. Enumerable.Range(0, Commands.Length)];

    [Fact]
    public void Every_type_of_command_is_covered_here()
    {
        var types = typeof(Command).Assembly.GetTypes().Where(type => type.IsSubclassOf(typeof(Command)));
        Assert.Equal(
            types.OrderBy(type => type.Name, StringComparer.Ordinal),
            Commands.Select(command => command.GetType()).Distinct().OrderBy(type => type.Name, StringComparer.Ordinal));
        Assert.Equal(Enum.GetValues<CommandKind>(), Commands.Select(command => command.Kind).Distinct().Order());
    }

    [Theory]
    [MemberData(nameof(Indexes))]
    public void A_command_comes_back_as_it_went_in(int index)
    {
        var bytes = Encode(Commands[index]);
        Assert.True(CommandCodec.TryDecode(bytes, out var decoded));
        AssertSame(Commands[index], decoded);
        Assert.Equal(bytes, Encode(decoded!));
    }

    [Fact]
    public void Random_commands_come_back_as_they_went_in()
    {
        var commands = new CommandGenerator(5);
        for (var i = 0; i < 2_000; i++)
        {
            var command = commands.Next(50);
            Assert.True(CommandCodec.TryDecode(Encode(command), out var decoded));
            AssertSame(command, decoded);
        }
    }

    [Theory]
    [MemberData(nameof(Indexes))]
    public void A_command_cut_anywhere_is_malformed(int index)
    {
        var bytes = Encode(Commands[index]);
        var step = Math.Max(1, bytes.Length / 1_000);
        for (var length = 0; length < bytes.Length; length += step)
        {
            Assert.False(CommandCodec.TryDecode(bytes.AsMemory(0, length), out var command));
            Assert.Null(command);
        }
    }

    [Theory]
    [MemberData(nameof(Indexes))]
    public void Bytes_left_over_are_malformed(int index)
    {
        byte[] longer = [.. Encode(Commands[index]), 0];
        Assert.False(CommandCodec.TryDecode(longer, out _));
    }

    /// <summary>What is taken is taken whole: it encodes to the very bytes it came from.</summary>
    [Theory]
    [MemberData(nameof(Indexes))]
    public void A_damaged_command_is_refused_or_is_another_command(int index)
    {
        var bytes = Encode(Commands[index]);
        for (var position = 0; position < Math.Min(bytes.Length, 400); position++)
        {
            for (var bit = 0; bit < 8; bit++)
            {
                var damaged = bytes.ToArray();
                damaged[position] ^= (byte)(1 << bit);
                if (CommandCodec.TryDecode(damaged, out var command))
                {
                    Assert.Equal(damaged.Length, CommandCodec.Size(command!));
                }
            }
        }
    }

    [Fact]
    public void Garbage_never_throws()
    {
        var random = new Random(1);
        var taken = 0;
        for (var i = 0; i < 50_000; i++)
        {
            var bytes = new byte[random.Next(80)];
            random.NextBytes(bytes);
            if (bytes.Length > 2)
            {
                bytes[0] = CommandCodec.Version;
                bytes[1] = (byte)random.Next(8);
                bytes[2] &= 7;
                for (var zero = random.Next(20); zero > 0; zero--)
                {
                    bytes[random.Next(2, bytes.Length)] = 0;
                }
            }

            taken += CommandCodec.TryDecode(bytes, out _) ? 1 : 0;
        }

        Assert.InRange(taken, 1, 10_000);
    }

    [Fact]
    public void The_bytes_are_those_of_the_format()
    {
        var put = new Put(Bytes("k"), Bytes("vw")) { Lease = 5, ReturnPrevious = true };
        Assert.Equal([1, 1, 6, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0, (byte)'k', (byte)'v', (byte)'w'], Encode(put));
        var compact = new Compact(258) { Session = new SessionStamp(new UInt128(2, 1), 3) };
        Assert.Equal(
            [1, 5, 1, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0],
            Encode(compact));
    }

    [Theory]
    [InlineData(new byte[] { 0, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0 })] // Version 0.
    [InlineData(new byte[] { 2, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0 })] // A later version.
    [InlineData(new byte[] { 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0 })] // Kind 0.
    [InlineData(new byte[] { 1, 7, 0, 1, 0, 0, 0, 0, 0, 0, 0 })] // A later kind.
    [InlineData(new byte[] { 1, 5, 2, 1, 0, 0, 0, 0, 0, 0, 0 })] // A flag compactions do not have.
    [InlineData(new byte[] { 1, 1, 0, 0, 0, 0, 0, 0, 128 })] // A negative length.
    [InlineData(new byte[] { 1, 4, 0, 255, 255, 0, 0, 0, 0 })] // More compares than bytes.
    [InlineData(new byte[] { 1, 4, 0, 0, 0, 1, 0, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0 })] // A compaction in a branch.
    [InlineData(new byte[] { 1, 4, 0, 0, 0, 1, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0 })] // A session in a branch.
    public void What_the_format_forbids_is_malformed(byte[] bytes) =>
        Assert.False(CommandCodec.TryDecode(bytes, out _));

    [Fact]
    public void Sequence_0_is_malformed() =>
        Assert.False(CommandCodec.TryDecode(Encode(new Compact(1) { Session = new SessionStamp(1, 0) }), out _));

    [Fact]
    public void Unknown_numbers_of_targets_operators_and_orders_are_malformed()
    {
        var compare = new Compare(Bytes("k"), (CompareTarget)5, CompareOperator.Equal);
        Assert.False(CommandCodec.TryDecode(Encode(new Txn([compare], [], [])), out _));
        compare = compare with { Target = CompareTarget.Lease, Operator = (CompareOperator)4 };
        Assert.False(CommandCodec.TryDecode(Encode(new Txn([compare], [], [])), out _));
        var query = new RangeQuery(Bytes("k"), default) { SortOrder = (SortOrder)3 };
        Assert.False(CommandCodec.TryDecode(Encode(new Txn([], [new TxnOperation { Range = query }], [])), out _));
        query = query with { SortOrder = SortOrder.None, SortTarget = (SortTarget)5 };
        Assert.False(CommandCodec.TryDecode(Encode(new Txn([], [new TxnOperation { Range = query }], [])), out _));
    }

    [Fact]
    public void Transactions_nest_to_the_deepest_level_and_no_deeper()
    {
        static Txn Nest(int depth) =>
            depth == 1 ? new Txn([], [], []) : new Txn([], [new TxnOperation { Txn = Nest(depth - 1) }], []);

        Assert.True(CommandCodec.TryDecode(Encode(Nest(Txn.DepthMax)), out _));
        Assert.False(CommandCodec.TryDecode(Encode(Nest(Txn.DepthMax + 1)), out _));
        Assert.False(CommandCodec.TryDecode(Encode(Nest(1_000)), out _));
    }

    [Fact]
    public void A_branch_holds_the_most_operations_and_no_more()
    {
        var delete = new TxnOperation { DeleteRange = new DeleteRange(Bytes("k"), default) };
        Txn Many(int count) => new([], [.. Enumerable.Repeat(delete, count)], []);

        Assert.True(CommandCodec.TryDecode(Encode(Many(Txn.OperationsMax)), out _));
        Assert.False(CommandCodec.TryDecode(Encode(Many(Txn.OperationsMax + 1)), out _));
    }

    [Fact]
    public void Byte_fields_of_a_decoded_command_are_slices_of_the_input()
    {
        var bytes = Encode(new Put(Bytes("key"), Bytes("value")));
        Assert.True(CommandCodec.TryDecode(bytes, out var command));
        bytes[^1] = (byte)'!';
        Assert.Equal("valu!", Text(((Put)command!).Value.Span));
    }

    [Fact]
    public void An_operation_without_a_part_cannot_be_encoded() =>
        Assert.Throws<ArgumentException>(() => Encode(new Txn([], [new TxnOperation()], [])));

    /// <summary>Compares all properties, bytes by content: records compare memory by identity.</summary>
    private static void AssertSame(object? expected, object? actual)
    {
        switch (expected)
        {
            case ReadOnlyMemory<byte> bytes:
                Assert.True(bytes.Span.SequenceEqual(((ReadOnlyMemory<byte>)actual!).Span));
                break;
            case System.Collections.IList list:
                var others = (System.Collections.IList)actual!;
                Assert.Equal(list.Count, others.Count);
                for (var i = 0; i < list.Count; i++)
                {
                    AssertSame(list[i], others[i]);
                }

                break;
            case Command or Compare or TxnOperation or RangeQuery:
                Assert.Equal(expected.GetType(), actual?.GetType());
                foreach (var property in expected.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance))
                {
                    AssertSame(property.GetValue(expected), property.GetValue(actual));
                }

                break;
            default:
                Assert.Equal(expected, actual);
                break;
        }
    }
}
