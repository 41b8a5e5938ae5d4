using System.Buffers.Binary;
using Kvorum.Raft;

namespace Kvorum.Kv;

/// <summary>
/// Reads a snapshot body. The file around it has checksums; here every length is bounded before memory is taken for it,
/// and every order is checked that the engine and the session table rely on.
/// </summary>
internal sealed class SnapshotReader(ByteSource source)
{
    private byte[] _buffer = new byte[SnapshotFormat.ChunkBytes];
    private int _start;
    private int _end;
    private byte[] _previousKey = [];
    private int _previousKeyLength;
    private Revision _previousRevision;
    private long _previousLease;
    private readonly List<(long Lease, byte[] Key)> _leased = [];

    public SnapshotHeader ReadTo(IEngine engine, SessionTable sessions, LeaseTable leases)
    {
        var header = ReadHeader();
        ReadRows(engine, header);
        ReadSessions(sessions, header);
        Check(Take(1)[0] == SnapshotFormat.EndTag, "the end mark after the sessions is missing");
        ReadLeases(leases, header);
        Check(Take(1)[0] == SnapshotFormat.EndTag, "the end mark after the leases is missing");
        Check(_start == _end && source(_buffer) == 0, "there are bytes after the end mark");

        // Last, so that no view ever shows a body that turns out to be damaged.
        engine.LoadCompacted(header.CompactedRevision);
        engine.Publish(header.Applied, header.Revision);
        return header;
    }

    private SnapshotHeader ReadHeader()
    {
        var bytes = Take(SnapshotFormat.HeaderBytes);
        Check(BinaryPrimitives.ReadUInt32LittleEndian(bytes) == SnapshotFormat.Magic, "it starts with other bytes");
        var version = BinaryPrimitives.ReadUInt16LittleEndian(bytes[4..]);
        Check(version == SnapshotFormat.Version, "its version is not 2");
        var applied = BinaryPrimitives.ReadUInt64LittleEndian(bytes[6..]);
        var revision = BinaryPrimitives.ReadInt64LittleEndian(bytes[14..]);
        var compactedRevision = BinaryPrimitives.ReadInt64LittleEndian(bytes[22..]);
        var stateHash = BinaryPrimitives.ReadUInt64LittleEndian(bytes[30..]);
        Check(revision >= 1, "its revision is below 1");
        Check(compactedRevision >= 0 && compactedRevision <= revision, "its compacted revision is above its revision");
        return new SnapshotHeader(new LogIndex(applied), revision, compactedRevision, stateHash);
    }

    private void ReadRows(IEngine engine, in SnapshotHeader header)
    {
        var count = 0UL;
        while (true)
        {
            var tag = Take(1)[0];
            if (tag == SnapshotFormat.EndTag)
            {
                break;
            }

            Check(tag == SnapshotFormat.RowTag, "a row starts with an unknown tag");
            ReadRow(engine, header);
            count++;
        }

        NoteLeased();
        Check(BinaryPrimitives.ReadUInt64LittleEndian(Take(8)) == count, "rows are missing");
    }

    private void ReadRow(IEngine engine, in SnapshotHeader header)
    {
        var bytes = Take(SnapshotFormat.RowBytes);
        var flags = bytes[0];
        var keyLength = BinaryPrimitives.ReadUInt16LittleEndian(bytes[1..]);
        var valueLength = BinaryPrimitives.ReadUInt32LittleEndian(bytes[3..]);
        var main = BinaryPrimitives.ReadInt64LittleEndian(bytes[7..]);
        var sub = BinaryPrimitives.ReadInt32LittleEndian(bytes[15..]);
        var create = BinaryPrimitives.ReadInt64LittleEndian(bytes[19..]);
        var version = BinaryPrimitives.ReadInt64LittleEndian(bytes[27..]);
        var isTombstone = (flags & SnapshotFormat.TombstoneFlag) != 0;
        Check(flags <= (SnapshotFormat.TombstoneFlag | SnapshotFormat.LeaseFlag), "a row has unknown flags");
        Check(keyLength > 0, "a row has no key");
        Check(valueLength <= KvLimits.ValueBytesMax, "a value is too long");
        Check(main >= 2 && main <= header.Revision && sub >= 0, "a row's revision is not one of the snapshot");
        Check(isTombstone ? valueLength == 0 : create >= 2 && create <= main && version >= 1, "a row has odd numbers");

        var lease = (flags & SnapshotFormat.LeaseFlag) != 0 ? BinaryPrimitives.ReadInt64LittleEndian(Take(8)) : 0;
        var content = Take(keyLength + (int)valueLength);
        var key = content[..keyLength];
        var revision = new Revision(main, sub);
        CheckOrder(key, revision);
        _previousLease = lease;
        engine.Load(new Row(key, content[keyLength..], new RowHeader(revision, create, version, lease, isTombstone)));
    }

    /// <summary>Rows come by key, then by rising revision.</summary>
    private void CheckOrder(ReadOnlySpan<byte> key, Revision revision)
    {
        var order = key.SequenceCompareTo(_previousKey.AsSpan(0, _previousKeyLength));
        Check(order > 0 || (order == 0 && revision.CompareTo(_previousRevision) > 0), "rows are out of order");
        _previousRevision = revision;
        if (order == 0)
        {
            return;
        }

        NoteLeased();
        if (_previousKey.Length < key.Length)
        {
            _previousKey = new byte[Math.Max(key.Length, 256)];
        }

        key.CopyTo(_previousKey);
        _previousKeyLength = key.Length;
    }

    private void ReadSessions(SessionTable sessions, in SnapshotHeader header)
    {
        var count = BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
        for (var i = 0u; i < count; i++)
        {
            var bytes = Take(SnapshotFormat.SessionBytes);
            var low = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
            var high = BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]);
            var highest = BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]);
            var lastUsed = BinaryPrimitives.ReadUInt64LittleEndian(bytes[24..]);
            var answers = BinaryPrimitives.ReadUInt32LittleEndian(bytes[32..]);
            Check(lastUsed <= header.Applied.Value, "a session was used after the snapshot");
            var slot = sessions.TryLoad(new UInt128(high, low), highest, lastUsed);
            Check(slot is not null, "sessions are out of order, doubled, or more than this replica may keep");
            for (var j = 0u; j < answers; j++)
            {
                var isInWindow = KvMutants.SessionsForgottenOnRestore
                    ? ReadAnswer() is { Sequence: > 0 }
                    : sessions.TryLoad(slot!.Value, ReadAnswer());
                Check(isInWindow, "an answer is out of its session's window");
            }
        }
    }

    /// <summary>The key before was on a lease at its newest row.</summary>
    private void NoteLeased()
    {
        if (_previousLease != 0)
        {
            _leased.Add((_previousLease, _previousKey.AsSpan(0, _previousKeyLength).ToArray()));
        }
    }

    private void ReadLeases(LeaseTable leases, in SnapshotHeader header)
    {
        var count = BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
        var previous = long.MinValue;
        for (var i = 0u; i < count; i++)
        {
            var bytes = Take(SnapshotFormat.LeaseBytes);
            var id = BinaryPrimitives.ReadInt64LittleEndian(bytes);
            var ttlSeconds = BinaryPrimitives.ReadInt64LittleEndian(bytes[8..]);
            var renewedAt = BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]);
            Check((i == 0 || id > previous) && id != 0, "leases are out of order or doubled");
            Check(ttlSeconds is > 0 and <= LeaseGrant.TtlSecondsMax, "a lease has no time to live, or too much");
            Check(renewedAt <= header.Applied.Value && !leases.IsFull, "a lease is of the future, or one too many");
            leases.Add(new Lease(id, ttlSeconds, renewedAt));
            previous = id;
        }

        foreach (var (lease, key) in _leased)
        {
            Check(leases.Find(lease) is not null, "a key is on a lease that is not there");
            leases.Attach(lease, key);
        }
    }

    private SessionTable.Answer ReadAnswer()
    {
        var bytes = Take(SnapshotFormat.AnswerBytes);
        var flags = bytes[33];
        Check(flags <= (SnapshotFormat.DetailFlag | SnapshotFormat.DetailDroppedFlag), "an answer has unknown flags");
        var answer = new SessionTable.Answer
        {
            Sequence = BinaryPrimitives.ReadUInt64LittleEndian(bytes),
            Fingerprint = BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]),
            Revision = BinaryPrimitives.ReadInt64LittleEndian(bytes[16..]),
            Count = BinaryPrimitives.ReadInt64LittleEndian(bytes[24..]),
            Status = (CommandStatus)bytes[32],
            IsDetailDropped = (flags & SnapshotFormat.DetailDroppedFlag) != 0,
        };
        if ((flags & SnapshotFormat.DetailFlag) != 0)
        {
            var length = BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
            Check(length <= KvLimits.RecordedDetailBytesMax, "an answer's detail is too long");
            answer.Detail = Take((int)length).ToArray();
            Check(ResultCodec.IsWellFormed(answer.Detail), "an answer's detail is malformed");
        }

        return answer;
    }

    /// <summary>The next bytes, in one piece; valid until the next call.</summary>
    private ReadOnlySpan<byte> Take(int length)
    {
        if (_end - _start < length)
        {
            Fill(length);
        }

        var bytes = _buffer.AsSpan(_start, length);
        _start += length;
        return bytes;
    }

    private void Fill(int length)
    {
        var left = _buffer.AsSpan(_start, _end - _start);
        if (_buffer.Length < length)
        {
            var larger = new byte[Math.Max(length, 2 * _buffer.Length)];
            left.CopyTo(larger);
            _buffer = larger;
        }
        else
        {
            left.CopyTo(_buffer);
        }

        _end = left.Length;
        _start = 0;
        while (_end < length)
        {
            var read = source(_buffer.AsSpan(_end));
            Check(read > 0, "it ends early");
            _end += read;
        }
    }

    private static void Check(bool condition, string found)
    {
        if (!condition)
        {
            throw new EngineCorruptException($"A snapshot body is damaged: {found}.");
        }
    }
}
