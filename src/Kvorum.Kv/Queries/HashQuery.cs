namespace Kvorum.Kv;

/// <summary>
/// A checksum of everything readable up to a revision (etcd v3 API, HashKVRequest): equal on all nodes, whatever one of
/// them has thrown away already of what is compacted.
/// </summary>
/// <param name="AtRevision">0 or less: the newest.</param>
public sealed record HashQuery(long AtRevision)
{
    /// <summary>Runs on a view, on any thread; reads every row.</summary>
    public HashResult Execute(IEngineView view)
    {
        var revision = AtRevision <= 0 ? view.Revision : AtRevision;
        if (revision > view.Revision || revision < view.CompactedRevision)
        {
            var status = revision > view.Revision ? CommandStatus.FutureRevision : CommandStatus.Compacted;
            return new HashResult(status, 0, view.Revision, view.CompactedRevision, revision);
        }

        var visitor = new Visitor(view.CompactedRevision, revision);
        view.ScanAll(ref visitor);
        return new HashResult(CommandStatus.Ok, visitor.Finish(), view.Revision, view.CompactedRevision, revision);
    }

    /// <summary>
    /// Of each key: all rows above the compacted revision, and the newest at or below it unless that is a tombstone.
    /// </summary>
    private struct Visitor(long compacted, long revision) : IRowVisitor
    {
        private StateHash _hash;
        private byte[] _key = [];
        private StateHash _older;
        private bool _hasOlder;

        public bool Visit(in Row row)
        {
            if (row.Header.Mod.Main > revision)
            {
                return true;
            }

            if (!row.Key.SequenceEqual(_key))
            {
                TakeOlder();
                _key = row.Key.ToArray();
            }

            if (row.Header.Mod.Main > compacted)
            {
                TakeOlder();
                Add(ref _hash, row);
                return true;
            }

            _hasOlder = !row.Header.IsTombstone;
            _older = default;
            Add(ref _older, row);
            return true;
        }

        /// <summary>Never 0: clients take that for "not told".</summary>
        public uint Finish()
        {
            TakeOlder();
            var folded = (uint)(_hash.Value >> 32) ^ (uint)_hash.Value;
            return Math.Max(1, folded);
        }

        private void TakeOlder()
        {
            if (_hasOlder)
            {
                _hash.Add(_older.Value, 0);
                _hasOlder = false;
            }
        }

        private static void Add(ref StateHash hash, in Row row)
        {
            hash.Add(row.Key);
            hash.Add(row.Value);
            hash.Add((ulong)row.Header.Mod.Main, (ulong)row.Header.Mod.Sub);
            hash.Add((ulong)row.Header.CreateRevision, (ulong)row.Header.Version);
            hash.Add((ulong)row.Header.Lease, row.Header.IsTombstone ? 1u : 0u);
        }
    }
}

/// <summary>What <see cref="HashQuery"/> found.</summary>
/// <param name="Status">Ok, Compacted or FutureRevision.</param>
/// <param name="Hash">Never 0 when it was computed.</param>
/// <param name="Revision">The key space's.</param>
/// <param name="CompactedRevision">The oldest revision readable; 0 when never compacted.</param>
/// <param name="HashRevision">Up to which revision it goes.</param>
public sealed record HashResult(
    CommandStatus Status, uint Hash, long Revision, long CompactedRevision, long HashRevision);
