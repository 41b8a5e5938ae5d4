using Kvorum.Raft;

namespace Kvorum.Kv;

/// <summary>A moment of the state machine, to be written as a Raft snapshot's body from any thread.</summary>
public sealed class KvCapture : IDisposable
{
    private readonly IEngineView _view;
    private readonly SessionCapture _sessions;
    private readonly IReadOnlyList<LeaseView> _leases;

    internal KvCapture(
        IEngineView view, SessionCapture sessions, IReadOnlyList<LeaseView> leases, ulong stateHash)
    {
        _view = view;
        _sessions = sessions;
        _leases = leases;
        StateHash = stateHash;
        Applied = view.Applied;
        Revision = view.Revision;
    }

    public LogIndex Applied { get; }

    public long Revision { get; }

    public ulong StateHash { get; }

    /// <summary>
    /// Writes rows, compacted revision, client sessions, leases and state hash; layout in docs/formats.md.
    /// </summary>
    public void WriteTo(ByteSink sink)
    {
        var output = new ChunkWriter(sink);
        output.U32(SnapshotFormat.Magic);
        output.U16(SnapshotFormat.Version);
        output.U64(Applied.Value);
        output.I64(Revision);
        output.I64(_view.CompactedRevision);
        output.U64(StateHash);

        var rows = new RowWriter(output);
        _view.ScanAll(ref rows);
        output.U8(SnapshotFormat.EndTag);
        output.U64(rows.Count);

        output.U32((uint)(KvMutants.SnapshotWithoutSessions ? 0 : _sessions.Count));
        for (var slot = KvMutants.SnapshotWithoutSessions ? SessionTable.None : _sessions.Oldest;
            slot != SessionTable.None; slot = _sessions.Session(slot).Newer)
        {
            Write(_sessions.Session(slot), output);
        }

        output.U8(SnapshotFormat.EndTag);
        output.U32((uint)_leases.Count);
        foreach (var lease in _leases)
        {
            output.I64(lease.Id);
            output.I64(lease.TtlSeconds);
            output.U64(lease.RenewedAt);
        }

        output.U8(SnapshotFormat.EndTag);
        output.Flush();
    }

    public void Dispose() => _view.Dispose();

    private void Write(in SessionTable.Session session, ChunkWriter output)
    {
        output.U64((ulong)session.Client);
        output.U64((ulong)(session.Client >> 64));
        output.U64(session.Highest);
        output.U64(session.LastUsed);
        var count = 0u;
        for (var slot = session.FirstAnswer; slot != SessionTable.None; slot = _sessions.Answer(slot).Next)
        {
            count++;
        }

        output.U32(count);
        for (var slot = session.FirstAnswer; slot != SessionTable.None; slot = _sessions.Answer(slot).Next)
        {
            Write(_sessions.Answer(slot), output);
        }
    }

    private static void Write(in SessionTable.Answer answer, ChunkWriter output)
    {
        output.U64(answer.Sequence);
        output.U64(answer.Fingerprint);
        output.I64(answer.Revision);
        output.I64(answer.Count);
        output.U8((byte)answer.Status);
        var flags = (answer.Detail is null ? 0 : SnapshotFormat.DetailFlag)
            | (answer.IsDetailDropped ? SnapshotFormat.DetailDroppedFlag : 0);
        output.U8((byte)flags);
        if (answer.Detail is not null)
        {
            output.U32((uint)answer.Detail.Length);
            output.Bytes(answer.Detail);
        }
    }

    private struct RowWriter(ChunkWriter output) : IRowVisitor
    {
        public ulong Count { get; private set; }

        public bool Visit(in Row row)
        {
            var header = row.Header;
            output.U8(SnapshotFormat.RowTag);
            var flags = (header.IsTombstone ? SnapshotFormat.TombstoneFlag : 0)
                | (header.Lease != 0 ? SnapshotFormat.LeaseFlag : 0);
            output.U8((byte)flags);
            output.U16(row.Key.Length);
            output.U32((uint)row.Value.Length);
            output.I64(header.Mod.Main);
            output.U32((uint)header.Mod.Sub);
            output.I64(header.CreateRevision);
            output.I64(header.Version);
            if (header.Lease != 0)
            {
                output.I64(header.Lease);
            }

            output.Bytes(row.Key);
            output.Bytes(row.Value);
            Count++;
            return true;
        }
    }
}
