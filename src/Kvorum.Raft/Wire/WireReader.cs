using System.Buffers.Binary;

namespace Kvorum.Raft;

/// <summary>
/// Reads what <see cref="WireWriter"/> wrote. After the first field that does not fit, <see cref="Error"/> says why and
/// every further field reads as zero or empty, so that a decoder checks once, at the end.
/// </summary>
internal ref struct WireReader(ReadOnlyMemory<byte> input)
{
    private readonly ReadOnlyMemory<byte> _input = input;
    private readonly ReadOnlySpan<byte> _span = input.Span;
    private int _place;

    public string? Error { get; private set; }

    public readonly int Remaining => _span.Length - _place;

    public void Fail(string error)
    {
        Error ??= error;
        _place = _span.Length;
    }

    public byte Byte() => Has(1) ? _span[_place++] : (byte)0;

    public bool Bool()
    {
        var value = Byte();
        if (value > 1)
        {
            Fail($"Expected 0 or 1, found {value}.");
        }

        return value == 1;
    }

    public uint UInt32()
    {
        if (!Has(sizeof(uint)))
        {
            return 0;
        }

        var value = BinaryPrimitives.ReadUInt32LittleEndian(_span[_place..]);
        _place += sizeof(uint);
        return value;
    }

    public ulong UInt64()
    {
        if (!Has(sizeof(ulong)))
        {
            return 0;
        }

        var value = BinaryPrimitives.ReadUInt64LittleEndian(_span[_place..]);
        _place += sizeof(ulong);
        return value;
    }

    /// <summary>
    /// A number of things of which the rest of the message must hold at least <paramref name="bytesEach"/> each.
    /// </summary>
    public int Count(int bytesEach)
    {
        var count = UInt32();
        if (count > (uint)(Remaining / bytesEach))
        {
            Fail($"The message cannot hold {count} items.");
            return 0;
        }

        return (int)count;
    }

    /// <summary>A number that only names a place or an amount; it allocates nothing.</summary>
    public int Number()
    {
        var number = UInt32();
        if (number > int.MaxValue)
        {
            Fail($"Expected at most {int.MaxValue}, found {number}.");
            return 0;
        }

        return (int)number;
    }

    public NodeId Node()
    {
        var value = UInt64();
        if (value == 0)
        {
            Fail("A node id is never 0.");
        }

        return new NodeId(value);
    }

    public NodeId? NodeOrNone()
    {
        var value = UInt64();
        return value == 0 ? null : new NodeId(value);
    }

    public LogIndex Index() => new(UInt64());

    public EntryId EntryId() => new(new Term(UInt64()), new LogIndex(UInt64()));

    public ReadOnlyMemory<byte> Bytes()
    {
        var length = Count(1);
        var bytes = _input.Slice(_place, length);
        _place += length;
        return bytes;
    }

    /// <summary>
    /// Entries that follow <paramref name="previous"/> without a gap, of terms that never fall nor pass <paramref
    /// name="termMax"/>.
    /// </summary>
    public LogEntry[] Entries(EntryId previous, Term termMax)
    {
        var count = Count(EntryCodec.HeaderBytes);
        if (count == 0)
        {
            return [];
        }

        var entries = new LogEntry[count];
        for (var i = 0; i < count; i++)
        {
            if (!EntryCodec.TryDecode(_input[_place..], out entries[i], out var consumed))
            {
                Fail($"Entry {i} of {count} is malformed.");
                return [];
            }

            var id = entries[i].Id;
            if (id.Index.Value != unchecked(previous.Index.Value + 1) || id.Index.Value == 0 || id.Term < previous.Term || id.Term > termMax)
            {
                Fail($"Entry {id} does not follow {previous} in term {termMax}.");
                return [];
            }

            if (entries[i].Kind == EntryKind.Membership
                && !MembershipCodec.TryDecode(entries[i].Payload, out _, out var error))
            {
                Fail($"Entry {id} holds no membership: {error}");
                return [];
            }

            previous = id;
            _place += consumed;
        }

        return entries;
    }

    public ReadOnlyMemory<byte>[] Commands()
    {
        var count = Count(sizeof(uint));
        if (count == 0)
        {
            return [];
        }

        var commands = new ReadOnlyMemory<byte>[count];
        for (var i = 0; i < count; i++)
        {
            commands[i] = Bytes();
        }

        return commands;
    }

    public ushort UInt16()
    {
        if (!Has(sizeof(ushort)))
        {
            return 0;
        }

        var value = BinaryPrimitives.ReadUInt16LittleEndian(_span[_place..]);
        _place += sizeof(ushort);
        return value;
    }

    /// <summary>A text of up to 65,535 bytes of UTF-8.</summary>
    public string Text()
    {
        var length = UInt16();
        if (!Has(length))
        {
            return "";
        }

        var text = WireText.Read(_span.Slice(_place, length));
        _place += length;
        if (text is null)
        {
            Fail("A text is not UTF-8.");
        }

        return text ?? "";
    }

    public Membership Membership()
    {
        var bytes = Bytes();
        string? error = "too large";
        if (bytes.Length <= MembershipCodec.BytesMax
            && MembershipCodec.TryDecode(bytes, out var membership, out error))
        {
            return membership;
        }

        Fail($"No membership: {error}");
        return Raft.Membership.Empty;
    }

    public SnapshotDescriptor Snapshot()
    {
        var last = EntryId();
        var length = UInt64();
        var checksum = UInt32();
        return new SnapshotDescriptor(last, Membership(), length, checksum);
    }

    public NodeId[] Nodes(int count)
    {
        if (Error is not null || count > Remaining / sizeof(ulong))
        {
            Fail($"The message cannot hold {count} node ids.");
            return [];
        }

        var nodes = new NodeId[count];
        for (var i = 0; i < count; i++)
        {
            nodes[i] = Node();
        }

        return Error is null ? nodes : [];
    }

    private bool Has(int bytes)
    {
        if (Remaining >= bytes)
        {
            return true;
        }

        Fail($"The message ends {bytes - Remaining} bytes early.");
        return false;
    }
}
