using System.Text;

using Kvorum.Raft;

namespace Kvorum.Storage;

/// <summary>
/// Who this directory belongs to and whom it knows. Written once durably, changed only by atomic replacement.
/// </summary>
/// <param name="Incarnation">
/// Drawn when the directory was made; a node that comes with another one has lost its memory.
/// </param>
/// <param name="MayVote">
/// False once the node learnt that this directory replaced another one of the same node, or lost what was durable. It
/// votes again only when a membership names <paramref name="Incarnation"/>.
/// </param>
/// <param name="Peers">The incarnation of each peer as first met; 0 when never met. Sorted by id.</param>
public sealed record NodeIdentity(
    ulong ClusterId, NodeId Node, ulong Incarnation, bool MayVote, IReadOnlyList<PeerIdentity> Peers);

/// <summary>A peer as this directory knows it.</summary>
/// <param name="IsReplaced">
/// The peer came with another incarnation than the first: it no longer counts as a voter.
/// </param>
public readonly record struct PeerIdentity(NodeId Node, ulong Incarnation, bool IsReplaced);

/// <summary>Layout, identity and exclusive lock of a node's data directory.</summary>
public sealed class DataDirectory : IDisposable
{
    private const string LockName = "lock";
    private const string IdentityName = "identity";
    private const string TemporaryIdentityName = "identity.tmp";
    private const string LossName = "loss.txt";
    private const int OwnerNoteBytesMax = 256;
    private const int LossBytesMax = 4096;

    private readonly IDisk _disk;
    private readonly IDisposable _lock;
    private readonly Lock _saving = new();
    private LogMarks _marks;

    /// <summary>Replaced as a whole, once it is durable: who reads it waits for no write.</summary>
    private volatile NodeIdentity _identity;

    private DataDirectory(IDisk disk, string path, IDisposable heldLock)
    {
        _disk = disk;
        _lock = heldLock;
        Path = path;
        _identity = null!; // Read or made by Open before anyone sees the object.
    }

    public string Path { get; }

    public string WalPath => Combine("wal");

    /// <summary>Where a damaged log is kept for a person to look at: the last one only.</summary>
    public string DamagedWalPath => Combine("wal.damaged");

    /// <summary>Where a mended log is written before it takes the damaged one's place.</summary>
    public string MendedWalPath => Combine("wal.mended");

    public string SnapshotPath => Combine("snap");

    /// <summary>Whether this start created the directory's identity.</summary>
    public bool IsNew { get; private set; }

    /// <summary>What is durable. From any thread; never waits for the disk.</summary>
    public NodeIdentity Identity
    {
        get => _identity;
        private set => _identity = value;
    }

    /// <summary>Whether there was a log here and no segment of it is left: the node forgot what it promised.</summary>
    public bool HasLostLog =>
        _marks.HasLog && !_disk.List(WalPath).Any(name => WalSegment.TryParseName(name, out _));

    /// <summary>Whether damage was seen by an earlier process, or its repair was not finished.</summary>
    public bool IsLogDamaged => _marks.IsDamaged;

    /// <summary>Opens or creates the directory and takes its lock.</summary>
    /// <param name="newIncarnation">Used only when the directory is new; never 0.</param>
    /// <param name="ownerNote">What to write into the lock file for a second process to read, e.g. "pid 4711".</param>
    /// <exception cref="DataDirectoryException">
    /// In use (names the owner), of another cluster or node, or unreadable.
    /// </exception>
    public static DataDirectory Open(
        IDisk disk, string path, ulong clusterId, NodeId node, ulong newIncarnation, string ownerNote)
    {
        ArgumentOutOfRangeException.ThrowIfZero(newIncarnation);
        disk.CreateDirectory(path);
        if (System.IO.Path.GetDirectoryName(path) is { Length: > 0 } parent)
        {
            disk.SyncDirectory(parent);
        }

        var directory = new DataDirectory(disk, path, TakeLock(disk, path, ownerNote));
        try
        {
            directory.ReadOrCreateIdentity(clusterId, node, newIncarnation);
            disk.CreateDirectory(directory.WalPath);
            disk.CreateDirectory(directory.SnapshotPath);
            disk.SyncDirectory(path);
            directory.FinishMending();
            return directory;
        }
        catch
        {
            directory.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Replaces the identity durably (write, sync, rename, sync directory). From any thread.
    /// </summary>
    public void Save(NodeIdentity identity)
    {
        lock (_saving)
        {
            WriteIdentity(identity, _marks);
            Identity = identity;
        }
    }

    /// <summary>
    /// This directory lost something that was durable, or does not know what it lost: durably, it votes no more, and it
    /// draws another incarnation. Peers see a replaced directory; the leader demotes the node and, once it is in sync,
    /// promotes it under the new incarnation. Always both together: a membership that names the old incarnation must
    /// not make it vote again.
    /// </summary>
    /// <param name="newIncarnation">Never 0 and never used before.</param>
    public void GiveUpVote(ulong newIncarnation)
    {
        ArgumentOutOfRangeException.ThrowIfZero(newIncarnation);
        lock (_saving)
        {
            // Peers tell directories apart by this number alone.
            var other = newIncarnation == Identity.Incarnation ? unchecked(newIncarnation + 2) | 1 : newIncarnation;
            Save(Identity with { MayVote = false, Incarnation = other });
        }
    }

    /// <summary>
    /// Remembers durably that the log exists. Call it when the log was opened, before anything is acknowledged: from
    /// then on a directory without its log has lost it, and with it what the node voted for.
    /// </summary>
    public void RememberLog()
    {
        if (!_marks.HasLog)
        {
            Mark(_marks with { HasLog = true });
        }
    }

    /// <summary>Remembers durably that the log cannot be read: the next start repairs it. From any thread.</summary>
    public void RememberDamage() => Mark(_marks with { IsDamaged = true, HasLog = true });

    /// <summary>
    /// Writes down, for a person, why this directory is about to lose its vote; before it does, so that the words are
    /// there when it has. Nothing is decided by them.
    /// </summary>
    public void Explain(string reason)
    {
        lock (_saving)
        {
            using var file = _disk.Open(Combine(LossName), create: true);
            var bytes = Encoding.UTF8.GetBytes(reason);
            file.SetLength(0);
            file.Write(bytes.AsSpan(0, Math.Min(bytes.Length, LossBytesMax)), 0);
            file.Sync();
        }
    }

    /// <summary>What was last written down with <see cref="Explain"/>; null when nothing readable is there.</summary>
    public string? ReadExplanation()
    {
        if (!_disk.Exists(Combine(LossName)))
        {
            return null;
        }

        using var file = _disk.Open(Combine(LossName), create: false);
        var bytes = new byte[Math.Min(file.Length, LossBytesMax)];
        var text = Encoding.UTF8.GetString(bytes, 0, file.Read(bytes, 0)).Trim('\0', ' ');
        return text.Length == 0 ? null : text;
    }

    /// <summary>The log is whole again, durably.</summary>
    public void ForgetDamage() => Mark(_marks with { IsDamaged = false });

    /// <summary>
    /// The log in <see cref="MendedWalPath"/>, complete and durable, takes the place of the damaged one, which is kept
    /// in <see cref="DamagedWalPath"/>. Decided by one durable mark: before it nothing has changed, after it the next
    /// start goes on (<see cref="FinishMending"/>).
    /// </summary>
    public void AdoptMendedLog()
    {
        _disk.CreateDirectory(DamagedWalPath);
        foreach (var name in _disk.List(DamagedWalPath))
        {
            _disk.Delete(System.IO.Path.Combine(DamagedWalPath, name));
        }

        _disk.SyncDirectory(Path);
        Mark(_marks with { IsMended = true });
        FinishMending();
    }

    /// <summary>Goes on with <see cref="AdoptMendedLog"/> where a crash stopped it; else does nothing.</summary>
    public void FinishMending()
    {
        if (!_marks.IsMended)
        {
            return;
        }

        // A mended segment leaves its place only when the damaged one of its number is away, lowest first: so a number
        // that is still to come belongs to the damaged log. Numbers above all mended ones do, too.
        var mended = _disk.List(MendedWalPath).Where(IsSegment).ToArray();
        foreach (var name in _disk.List(WalPath).Where(IsSegment))
        {
            if (mended.Length > 0 && string.CompareOrdinal(name, mended[^1]) > 0)
            {
                Move(name, WalPath, DamagedWalPath);
            }
        }

        foreach (var name in mended)
        {
            if (_disk.Exists(System.IO.Path.Combine(WalPath, name)))
            {
                Move(name, WalPath, DamagedWalPath);
            }

            Move(name, MendedWalPath, WalPath);
        }

        Mark(_marks with { IsMended = false, IsDamaged = false, HasLog = true });
    }

    /// <summary>
    /// Like <see cref="GiveUpVote"/>, and until <see cref="ForgetDamage"/> the next start repairs the log again.
    /// </summary>
    public void BeginRepair(ulong newIncarnation)
    {
        RememberDamage();
        GiveUpVote(newIncarnation);
    }

    public void Dispose() => _lock.Dispose();

    private static IDisposable TakeLock(IDisk disk, string path, string ownerNote)
    {
        var lockPath = System.IO.Path.Combine(path, LockName);
        var held = disk.TryLock(lockPath);
        using var file = disk.Open(lockPath, create: true);
        if (held is null)
        {
            var note = new byte[OwnerNoteBytesMax];
            var owner = Encoding.UTF8.GetString(note, 0, file.Read(note, 0)).Trim();
            throw new DataDirectoryException(
                $"{path} is in use by another process ({(owner.Length > 0 ? owner : "unknown")}). "
                + "Stop it, or use another data directory.");
        }

        var bytes = Encoding.UTF8.GetBytes(ownerNote.ReplaceLineEndings(" ") + "\n");
        file.SetLength(0);
        file.Write(bytes.AsSpan(0, Math.Min(bytes.Length, OwnerNoteBytesMax)), 0);
        return held;
    }

    private void ReadOrCreateIdentity(ulong clusterId, NodeId node, ulong newIncarnation)
    {
        if (_disk.Exists(Combine(IdentityName)))
        {
            ReadIdentity(clusterId, node);
            return;
        }

        var left = _disk.List(WalPath).Where(name => WalSegment.TryParseName(name, out _))
            .Concat(_disk.List(SnapshotPath).Where(name => name.EndsWith(".snap", StringComparison.Ordinal)))
            .FirstOrDefault();
        if (left is not null)
        {
            throw new DataDirectoryException(
                $"{Path}: expected a file {IdentityName} beside {left}, found none. "
                + "Without it nobody knows whose data this is. Restore the file, or remove the directory and add "
                + "the node to the cluster again as a new one.");
        }

        var identity = new NodeIdentity(clusterId, node, newIncarnation, MayVote: true, Peers: []);
        WriteIdentity(identity, default);
        Identity = identity;
        IsNew = true;
    }

    private void ReadIdentity(ulong clusterId, NodeId node)
    {
        var path = Combine(IdentityName);
        using (var file = _disk.Open(path, create: false))
        {
            var length = file.Length;
            var bytes = new byte[Math.Min(length, IdentityFile.BytesMax + 1)];
            if (file.Read(bytes, 0) != length || !IdentityFile.TryRead(bytes, out var identity, out _marks))
            {
                throw new DataDirectoryException(
                    $"{path}: damaged ({length} bytes that do not match their checksum). "
                    + "The node does not know who it is. Restore the file, or remove the directory and add the node "
                    + "to the cluster again as a new one.");
            }

            Identity = identity;
        }

        if (Identity.ClusterId != clusterId || Identity.Node != node)
        {
            throw new DataDirectoryException(
                $"{Path}: expected cluster {clusterId:x}, node {node}; "
                + $"found cluster {Identity.ClusterId:x}, node {Identity.Node}. Each node needs a data directory of "
                + "its own.");
        }
    }

    private static bool IsSegment(string name) => WalSegment.TryParseName(name, out _);

    private void Move(string name, string from, string to)
    {
        _disk.Rename(System.IO.Path.Combine(from, name), System.IO.Path.Combine(to, name));
        _disk.SyncDirectory(to);
        _disk.SyncDirectory(from);
    }

    private void Mark(LogMarks marks)
    {
        lock (_saving)
        {
            if (marks != _marks)
            {
                WriteIdentity(Identity, marks);
                _marks = marks;
            }
        }
    }

    private void WriteIdentity(NodeIdentity identity, LogMarks marks)
    {
        using (var file = _disk.Open(Combine(TemporaryIdentityName), create: true))
        {
            var bytes = IdentityFile.Write(identity, marks);
            file.SetLength(0);
            file.Write(bytes, 0);
            file.Sync();
        }

        _disk.Rename(Combine(TemporaryIdentityName), Combine(IdentityName));
        if (!StorageMutants.RenameWithoutDirectorySync)
        {
            _disk.SyncDirectory(Path);
        }
    }

    private string Combine(string name) => System.IO.Path.Combine(Path, name);
}

/// <summary>A data directory that cannot be used; the message says why, what was expected and what to do.</summary>
public sealed class DataDirectoryException(string message, Exception? inner = null) : IOException(message, inner);
