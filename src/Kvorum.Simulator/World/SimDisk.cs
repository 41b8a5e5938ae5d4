namespace Kvorum.Simulator;

/// <summary>
/// A node's medium: files and names, each as programs see it and as it survives a loss of power. Outlives the node's
/// processes; each opens it through a <see cref="SimDiskHandle"/>.
/// </summary>
internal sealed class SimDisk(SimWorld world, int place)
{
    private readonly List<NameChange> _pendingNames = [];
    private readonly List<string> _locked = [];
    private SortedList<string, SimFile> _names = new(StringComparer.Ordinal);
    private SortedList<string, SimFile> _durableNames = new(StringComparer.Ordinal);

    public ChanceSource Chance { get; } = new(world.Chance, ChanceStream.Disk, (ulong)place);

    /// <summary>Names and files as programs see them, in the order of names.</summary>
    public SortedList<string, SimFile> Names => _names;

    /// <summary>The most bytes of all files; more is "no space left".</summary>
    public long Quota { get; set; } = long.MaxValue;

    /// <summary>Syncs fail until this moment.</summary>
    public long SyncFailsUntil { get; set; }

    /// <summary>So many syncs of files fail, and the next one does not.</summary>
    public int SyncFailures { get; set; }

    /// <summary>Reads fail until this moment.</summary>
    public long ReadFailsUntil { get; set; }

    /// <summary>The next write to the log goes elsewhere, or nowhere, and is called a success.</summary>
    public WriteFate NextLogWrite { get; set; }

    public long BytesUsed
    {
        get
        {
            long used = 0;
            for (var i = 0; i < _names.Count; i++)
            {
                used += _names.Values[i].Length;
            }

            return used;
        }
    }

    public bool TryLock(string path)
    {
        if (_locked.Contains(path))
        {
            return false;
        }

        _locked.Add(path);
        return true;
    }

    public void Unlock(string path) => _locked.Remove(path);

    public void Change(string? from, string? to, SimFile? file)
    {
        var change = new NameChange(from, to, file);
        change.Apply(_names);
        _pendingNames.Add(change);
    }

    public void SyncDirectory(string path)
    {
        var kept = 0;
        for (var i = 0; i < _pendingNames.Count; i++)
        {
            if (_pendingNames[i].IsIn(path))
            {
                _pendingNames[i].Apply(_durableNames);
            }
            else
            {
                _pendingNames[kept++] = _pendingNames[i];
            }
        }

        _pendingNames.RemoveRange(kept, _pendingNames.Count - kept);
    }

    /// <summary>The process ended; the operating system and its cache live on.</summary>
    public void EndProcess() => _locked.Clear();

    /// <summary>The machine lost power: what was not synced is there, gone, or torn.</summary>
    public void LosePower(CrashKeeps keeps)
    {
        EndProcess();
        var style = CrashStyle.Draw(keeps, Chance);
        var isTorn = _pendingNames.Count > 0;
        var kept = style.Keeps switch
        {
            CrashKeeps.Nothing => 0,
            CrashKeeps.Everything => _pendingNames.Count,
            _ => Chance.Below(_pendingNames.Count + 1), // A journal keeps the order of names.
        };
        for (var i = 0; i < kept; i++)
        {
            _pendingNames[i].Apply(_durableNames);
        }

        _pendingNames.Clear();
        _names = new SortedList<string, SimFile>(_durableNames, StringComparer.Ordinal);
        for (var i = 0; i < _names.Count; i++)
        {
            isTorn |= _names.Values[i].HasPending || _names.Values[i].HasGhosts;
            _names.Values[i].LosePower(style, Chance);
        }

        if (isTorn)
        {
            world.Injected.Add("disk.unsynced.lost");
        }
    }

    /// <summary>Everything is gone, as after a new disk was put in.</summary>
    public void Wipe()
    {
        _pendingNames.Clear();
        _names.Clear();
        _durableNames.Clear();
        _locked.Clear();
    }

    /// <summary>What is on the medium now, to be put back later.</summary>
    public SortedList<string, SimFile> Backup()
    {
        var copy = new SortedList<string, SimFile>(StringComparer.Ordinal);
        for (var i = 0; i < _durableNames.Count; i++)
        {
            copy.Add(_durableNames.Keys[i], _durableNames.Values[i].CopyDurable());
        }

        return copy;
    }

    public void Restore(SortedList<string, SimFile> backup)
    {
        Wipe();
        _names = new SortedList<string, SimFile>(backup, StringComparer.Ordinal);
        _durableNames = new SortedList<string, SimFile>(backup, StringComparer.Ordinal);
    }

    private readonly record struct NameChange(string? From, string? To, SimFile? File)
    {
        public bool IsIn(string directory)
        {
            var path = To ?? From ?? "";
            return path.Length > directory.Length && path[directory.Length] == '/'
                && path.StartsWith(directory, StringComparison.Ordinal)
                && path.LastIndexOf('/') == directory.Length;
        }

        public void Apply(SortedList<string, SimFile> names)
        {
            if (From is not null)
            {
                names.Remove(From);
            }

            if (To is not null && File is not null)
            {
                names[To] = File;
            }
        }
    }
}

/// <summary>What becomes of a write that is called a success.</summary>
internal enum WriteFate
{
    Stored = 0,
    Lost = 1,
    Misdirected = 2,
}
