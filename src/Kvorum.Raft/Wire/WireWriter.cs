using System.Buffers.Binary;

namespace Kvorum.Raft;

/// <summary>Writes little-endian fields one after the other into a span that is large enough.</summary>
internal ref struct WireWriter(Span<byte> output)
{
    private readonly Span<byte> _output = output;

    public int Written { get; private set; }

    public void Byte(byte value) => _output[Written++] = value;

    public void Bool(bool value) => Byte(value ? (byte)1 : (byte)0);

    public void UInt32(uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_output[Written..], value);
        Written += sizeof(uint);
    }

    public void UInt64(ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_output[Written..], value);
        Written += sizeof(ulong);
    }

    public void EntryId(EntryId id)
    {
        UInt64(id.Term.Value);
        UInt64(id.Index.Value);
    }

    public void Bytes(ReadOnlySpan<byte> bytes)
    {
        UInt32((uint)bytes.Length);
        bytes.CopyTo(_output[Written..]);
        Written += bytes.Length;
    }

    public void Entries(ReadOnlySpan<LogEntry> entries)
    {
        UInt32((uint)entries.Length);
        foreach (ref readonly var entry in entries)
        {
            Written += EntryCodec.Encode(entry, _output[Written..]);
        }
    }

    public void Snapshot(SnapshotDescriptor snapshot)
    {
        EntryId(snapshot.LastIncluded);
        UInt64(snapshot.Length);
        UInt32(snapshot.Checksum);
        Membership(snapshot.Membership);
    }

    public void UInt16(ushort value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_output[Written..], value);
        Written += sizeof(ushort);
    }

    public void Text(string text)
    {
        var length = WireText.Write(text, _output[(Written + sizeof(ushort))..]);
        UInt16((ushort)length);
        Written += length;
    }

    public void Membership(Membership membership)
    {
        var length = MembershipCodec.Encode(membership, _output[(Written + sizeof(uint))..]);
        UInt32((uint)length);
        Written += length;
    }

    public void Nodes(ReadOnlySpan<NodeId> nodes)
    {
        foreach (var node in nodes)
        {
            UInt64(node.Value);
        }
    }
}
