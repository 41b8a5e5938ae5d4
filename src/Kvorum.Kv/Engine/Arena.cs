using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Kvorum.Raft;

namespace Kvorum.Kv;

// The one file of the engine with Unsafe: rows and tree nodes are laid into large byte arrays, so that the
// collector sees
// a few hundred arrays instead of millions of objects (measured in DESIGN.md), and laying structures into bytes needs a
// reinterpretation. Everything goes through interior references the collector knows, never through raw pointers: an
// array
// cannot be taken away while a span points into it.

/// <summary>The fixed part of a stored row (or of a separator key of the tree); key and value follow it.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 8)]
internal struct RowHead
{
    /// <summary>Address of the version before this one; 0 for none. Readers follow it while the writer changes
    /// it.</summary>
    public ulong Older;

    /// <summary>Address of the version after this one; 0 for the newest. Only the writer uses it.</summary>
    public ulong Newer;

    public long Main;
    public long CreateRevision;
    public long Version;
    public long Lease;
    public int Sub;
    public int ValueLength;
    public ushort KeyLength;
    public RowKind Kind;

    /// <summary>Only the writer uses it.</summary>
    public RowMarks Marks;
}

internal enum RowKind : byte
{
    Value,
    Tombstone,
    Separator,
}

[Flags]
internal enum RowMarks : byte
{
    None = 0,

    /// <summary>Dropped: its bytes wait for their chunk.</summary>
    Dropped = 1,

    /// <summary>Stands in the queue of rows that supersede something.</summary>
    Queued = 2,
}

/// <summary>
/// Memory for rows and tree nodes. Rows are laid one after the other into chunks; a chunk whose rows are all dropped is
/// used again, and a chunk that is mostly dropped is emptied by moving the rest. An address is chunk and offset; 0
/// is none.
/// </summary>
/// <remarks>
/// One writer; any number of readers follow addresses they loaded with acquire semantics. Whatever is released carries
/// the epoch of its release and is used again only when every view that could have seen it is closed.
/// </remarks>
internal sealed class Arena
{
    /// <summary>Bytes of a row before its key.</summary>
    public const int RowHeadBytes = 60;

    /// <summary>Words of a tree node.</summary>
    public const int NodeWords = 128;

    private const int NodeBytes = NodeWords * sizeof(ulong);
    private const int ChunkBytesMin = 64 << 10;
    private const int ChunkBytesMax = 1 << 20;

    /// <summary>A row above this gets a chunk of its own, so that the unused end of a chunk stays small.</summary>
    private const int SharedRowBytesMax = ChunkBytesMax / 8;

    /// <summary>Empty chunks kept for the next rows, at most this part of all bytes; the rest goes back to the
    /// collector.</summary>
    private const int SpareDivisor = 8;

    /// <summary>
    /// A chunk with less of its bytes live is emptied. Lower saves moving, higher saves memory: at 45 a moved row
    /// frees more
    /// room than it takes, and rows take at most 2.2 times their size.
    /// </summary>
    private const int SparsePercent = 45;

    private readonly Queue<(long Epoch, ulong Node)> _retiredNodes = new();
    private readonly Queue<(long Epoch, int Chunk)> _drained = new();
    private readonly Queue<int> _sparse = new();
    private readonly Stack<ulong> _freeNodes = new();
    private readonly Stack<byte[]> _spares = new();
    private readonly Stack<int> _freeNumbers = new();
    private byte[]?[] _chunks = new byte[16][];
    private ChunkUse[] _uses = new ChunkUse[16];
    private int _chunkCount = 1;
    private int _rowChunk;
    private int _nodeChunk;
    private long _lastReleaseEpoch;

    private enum ChunkKind : byte
    {
        Unused,
        Rows,
        LargeRow,
        Nodes,
        Drained,
    }

    /// <summary>Bytes of all chunks, spare ones included.</summary>
    public long BytesHeld { get; private set; }

    /// <summary>Bytes of rows not dropped.</summary>
    public long BytesLive { get; private set; }

    /// <summary>Whether something released waits for views to close.</summary>
    public bool HasReleased => _retiredNodes.Count > 0 || _drained.Count > 0;

    public static int RowBytes(int keyLength, int valueLength) => (RowHeadBytes + keyLength + valueLength + 7) & ~7;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref RowHead Head(ulong address) => ref Unsafe.As<byte, RowHead>(ref At(address));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ReadOnlySpan<byte> Key(ulong address)
    {
        ref var start = ref At(address);
        return MemoryMarshal.CreateReadOnlySpan(
            ref Unsafe.Add(ref start, RowHeadBytes), Unsafe.As<byte, RowHead>(ref start).KeyLength);
    }

    /// <summary>Room for the key and value of a new row, to be filled before its address is published.</summary>
    public Span<byte> Body(ulong address)
    {
        ref var head = ref Head(address);
        return MemoryMarshal.CreateSpan(
            ref Unsafe.Add(ref At(address), RowHeadBytes), head.KeyLength + head.ValueLength);
    }

    public Row RowAt(ulong address)
    {
        ref var start = ref At(address);
        ref readonly var head = ref Unsafe.As<byte, RowHead>(ref start);
        ref var body = ref Unsafe.Add(ref start, RowHeadBytes);
        return new Row(
            MemoryMarshal.CreateReadOnlySpan(ref body, head.KeyLength),
            MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref body, (nint)head.KeyLength), head.ValueLength),
            new RowHeader(
                new Revision(head.Main, head.Sub),
                head.CreateRevision,
                head.Version,
                head.Lease,
                head.Kind == RowKind.Tombstone));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Span<ulong> Node(ulong address) =>
        MemoryMarshal.CreateSpan(ref Unsafe.As<byte, ulong>(ref At(address)), NodeWords);

    public ulong AllocateRow(int keyLength, int valueLength)
    {
        var bytes = RowBytes(keyLength, valueLength);
        if (bytes > SharedRowBytesMax)
        {
            var large = AddChunk(GC.AllocateUninitializedArray<byte>(bytes), ChunkKind.LargeRow);
            return Take(large, bytes);
        }

        if (_rowChunk == 0 || _uses[_rowChunk].Used + bytes > ChunkOf(_rowChunk).Length)
        {
            OpenRowChunk(bytes);
        }

        return Take(_rowChunk, bytes);
    }

    /// <summary>Gives a row's bytes back; they stay readable until all views of this epoch and before are
    /// closed.</summary>
    public void ReleaseRow(ulong address, long epoch)
    {
        ref var head = ref Head(address);
        Invariant.Holds(head.Marks == RowMarks.None, "A row is dropped once, and not while it is queued.");
        head.Marks = RowMarks.Dropped;
        var bytes = RowBytes(head.KeyLength, head.ValueLength);
        var chunk = (int)(address >> 32);
        ref var use = ref _uses[chunk];
        use.Live -= bytes;
        _lastReleaseEpoch = epoch;
        BytesLive -= bytes;
        if (chunk != _rowChunk)
        {
            Retire(chunk);
        }
    }

    public ulong AllocateNode()
    {
        if (_freeNodes.TryPop(out var free))
        {
            return free;
        }

        if (_nodeChunk == 0 || _uses[_nodeChunk].Used + NodeBytes > ChunkOf(_nodeChunk).Length)
        {
            _nodeChunk = AddChunk(TakeArray(NodeBytes), ChunkKind.Nodes);
        }

        var offset = _uses[_nodeChunk].Used;
        _uses[_nodeChunk].Used += NodeBytes;
        return Address(_nodeChunk, offset);
    }

    /// <summary>A node was replaced; in epoch 0 no view exists that could have seen it.</summary>
    public void RetireNode(ulong address, long epoch)
    {
        if (epoch == 0)
        {
            _freeNodes.Push(address);
        }
        else
        {
            _retiredNodes.Enqueue((epoch, address));
        }
    }

    /// <summary>Makes usable again what was released before the epoch of the oldest view that may be open.</summary>
    public void Reclaim(long oldestOpenEpoch)
    {
        while (_retiredNodes.TryPeek(out var retired) && retired.Epoch < oldestOpenEpoch)
        {
            _freeNodes.Push(_retiredNodes.Dequeue().Node);
        }

        while (_drained.TryPeek(out var drained) && drained.Epoch < oldestOpenEpoch)
        {
            RemoveChunk(_drained.Dequeue().Chunk);
        }
    }

    /// <summary>The next row to be moved out of a sparse chunk; 0 when no chunk is sparse.</summary>
    public ulong NextToMove()
    {
        while (_sparse.TryPeek(out var chunk))
        {
            ref var use = ref _uses[chunk];
            while (use.IsSparse && use.Moved < use.Used)
            {
                var address = Address(chunk, use.Moved);
                ref readonly var head = ref Head(address);
                use.Moved += RowBytes(head.KeyLength, head.ValueLength);
                if ((head.Marks & RowMarks.Dropped) == 0)
                {
                    return address;
                }
            }

            // Drained by now, and perhaps in use again under the same number: then its mark is gone.
            _sparse.Dequeue();
        }

        return 0;
    }

    private static ulong Address(int chunk, int offset) => ((ulong)(uint)chunk << 32) | (uint)offset;

    // The table is read after the address was: whoever published the address had published the table before.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref byte At(ulong address) => ref Unsafe.Add(
        ref MemoryMarshal.GetArrayDataReference(ChunkOf((int)(address >> 32))), (nint)(uint)address);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private byte[] ChunkOf(int chunk) => _chunks[chunk]!; // An address never outlives its chunk.

    private ulong Take(int chunk, int bytes)
    {
        ref var use = ref _uses[chunk];
        var address = Address(chunk, use.Used);
        use.Used += bytes;
        use.Live += bytes;
        BytesLive += bytes;
        return address;
    }

    private void OpenRowChunk(int bytes)
    {
        var full = _rowChunk;
        _rowChunk = AddChunk(TakeArray(bytes), ChunkKind.Rows);
        if (full != 0)
        {
            Retire(full);
        }
    }

    /// <summary>An array for a new chunk: small while little is stored, so that an engine with a hundred keys stays
    /// small.</summary>
    private byte[] TakeArray(int bytesMin)
    {
        var bytes = ChunkBytesMin;
        while (bytes < ChunkBytesMax && (bytes < bytesMin * 4 || bytes * 8L < BytesHeld))
        {
            bytes *= 2;
        }

        if (bytes == ChunkBytesMax && _spares.TryPop(out var spare))
        {
            BytesHeld -= spare.Length;
            return spare;
        }

        return GC.AllocateUninitializedArray<byte>(bytes);
    }

    private int AddChunk(byte[] bytes, ChunkKind kind)
    {
        if (!_freeNumbers.TryPop(out var chunk))
        {
            chunk = _chunkCount++;
        }

        if (chunk == _chunks.Length)
        {
            var longer = new byte[]?[chunk * 2];
            _chunks.CopyTo(longer, 0);
            Array.Resize(ref _uses, chunk * 2);
            Volatile.Write(ref _chunks, longer);
        }

        _uses[chunk] = new ChunkUse { Kind = kind };
        Volatile.Write(ref _chunks[chunk], bytes);
        BytesHeld += bytes.Length;
        return chunk;
    }

    /// <summary>Notes a chunk that takes no more rows when it has become sparse or empty.</summary>
    private void Retire(int chunk)
    {
        ref var use = ref _uses[chunk];
        if (use.Live == 0)
        {
            use.Kind = ChunkKind.Drained;
            use.IsSparse = false;
            _drained.Enqueue((_lastReleaseEpoch, chunk));
        }
        else if (!use.IsSparse && use.Kind == ChunkKind.Rows && use.Live * 100L < use.Used * (long)SparsePercent)
        {
            use.IsSparse = true;
            _sparse.Enqueue(chunk);
        }
    }

    private void RemoveChunk(int chunk)
    {
        var bytes = ChunkOf(chunk);
        _chunks[chunk] = null;
        _uses[chunk] = default;
        _freeNumbers.Push(chunk);
        if (bytes.Length == ChunkBytesMax)
        {
            _spares.Push(bytes);
        }
        else
        {
            BytesHeld -= bytes.Length;
        }

        while (_spares.Count * (long)ChunkBytesMax > BytesHeld / SpareDivisor)
        {
            _spares.Pop();
            BytesHeld -= ChunkBytesMax;
        }
    }

    private struct ChunkUse
    {
        public int Used;
        public int Live;

        /// <summary>Offset up to which the rows of a sparse chunk were moved.</summary>
        public int Moved;
        public ChunkKind Kind;
        public bool IsSparse;
    }
}
