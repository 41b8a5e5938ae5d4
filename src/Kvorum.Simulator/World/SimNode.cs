using Kvorum.Kv;
using Kvorum.Node;
using Kvorum.Raft;
using Microsoft.Extensions.Logging;

namespace Kvorum.Simulator;

/// <summary>What a node needs of the world around it.</summary>
internal sealed class SimSurroundings
{
    public required SimWorld World { get; init; }

    public required SimSettings Settings { get; init; }

    public required SimNetwork Network { get; init; }

    public required IReadOnlyList<WorldObserver> Observers { get; init; }

    public required ILoggerFactory Loggers { get; init; }

    /// <summary>A node ended in a way nothing accounts for.</summary>
    public required Action<string, string> Violate { get; init; }
}

/// <summary>A machine: its disk, its clock, and the process that runs on it, if any.</summary>
internal sealed class SimNode
{
    private const ulong Cluster = 0xC1;
    private const string DataPath = "/data";

    private readonly SimSurroundings _around;
    private readonly ChanceSource _chance;
    private readonly List<SimEvent> _parked = [];
    private long _pausedUntil;
    private int _starts;

    public SimNode(SimSurroundings around, int place, int voters)
    {
        _around = around;
        Place = place;
        Contacts = [.. Enumerable.Range(1, voters).Select(voter => (ulong)voter)];
        IsInUse = place <= voters;
        _chance = new ChanceSource(around.World.Chance, ChanceStream.Node, (ulong)place);
        Disk = new SimDisk(around.World, place);
        Clock = new SimClock(around.World);
        Speed = new NodeSpeed(around.World, around.Settings, place);
        var drift = around.Settings.ClockDriftPerMillion;
        Clock.Drift(place % 2 == 0 ? drift : -drift);
    }

    /// <summary>From 1; its Raft id too.</summary>
    public int Place { get; }

    public SimWorld World => _around.World;

    public SimDisk Disk { get; }

    public SimClock Clock { get; }

    public NodeSpeed Speed { get; }

    /// <summary>The voters of the initial cluster; for a node that joins, those when it came.</summary>
    public IReadOnlyList<ulong> Contacts { get; set; }

    /// <summary>Else it waits for the day it is needed, or was removed and taken away.</summary>
    public bool IsInUse { get; set; }

    /// <summary>Null while no process runs.</summary>
    public SimProcess? Process { get; private set; }

    /// <summary>Nothing happens in the process before this moment; a past one ends a pause at once.</summary>
    public long PausedUntil
    {
        get => _pausedUntil;
        set
        {
            _pausedUntil = value;
            World.At(value, EndPause);
        }
    }

    /// <summary>What would happen now, happens when the pause ends, whenever that is.</summary>
    public void Park(SimEvent happening) => _parked.Add(happening);

    private void EndPause()
    {
        if (_pausedUntil > World.Now)
        {
            return; // It was made longer.
        }

        foreach (var happening in _parked)
        {
            World.At(World.Now, happening);
        }

        _parked.Clear();
    }

    /// <summary>The disk failed an operation since the process started, so that its end is no surprise.</summary>
    public bool HasDiskFailed { get; set; }

    /// <summary>Nobody starts it before this moment.</summary>
    public long DownUntil { get; set; }

    /// <summary>How long it stays down after a crash that is armed.</summary>
    public long DownAfterCrash { get; set; }

    /// <summary>Its disk is not what the process believes: its end must be chosen with care.</summary>
    public bool IsPoisoned { get; set; }

    /// <summary>A fault may take the end of its log away in a way that nobody can see.</summary>
    public bool IsTailInDoubt { get; set; }

    /// <summary>A new directory is for a node that joins: the initial cluster is not what it was.</summary>
    public bool JoinsAnew { get; set; }

    /// <summary>A fault destroyed something durable: refusing to start, or not voting, is right.</summary>
    public bool IsDamaged { get; set; }

    /// <summary>It refused to start because of what was destroyed, and said so.</summary>
    public string? Refusal { get; private set; }

    /// <summary>Its clients' requests reach it.</summary>
    public bool IsRunning => Process is not null;

    /// <summary>Rises when the data directory is another one: what was sent to the one before is for nobody.</summary>
    public int Directory { get; set; }

    /// <summary>Starts a process. Without effect while one runs, and while the machine is not in use.</summary>
    public void Start()
    {
        if (Process is not null || !IsInUse)
        {
            return;
        }

        HasDiskFailed = false;
        var process = new SimProcess(this, _around, ++_starts);
        Process = process;
        try
        {
            process.Open(Options(process), _chance.Bits(), _chance.Bits() | 1);
            World.Trace(TraceKind.Started, Place, (ulong)_starts);
        }
        catch (Exception e) when (e is IOException or InvariantException)
        {
            // A process that ended within its own start has been dealt with.
            if (Process == process)
            {
                Ended(process, losesPower: false);
                Refuse(e);
            }
        }
    }

    /// <summary>The process is gone, without a word.</summary>
    /// <param name="keeps">What the medium keeps of unsynced writes; null: the operating system lives on.</param>
    public void Crash(CrashKeeps? keeps)
    {
        if (Process is { } process)
        {
            Ended(process, keeps is not null);
        }

        if (keeps is { } style)
        {
            Disk.LosePower(style);
        }
    }

    /// <summary>The planned end within an operation of the disk: the power fails.</summary>
    public void CrashHere()
    {
        World.Injected.Add("crash.disk.operation");
        DownUntil = World.Now + DownAfterCrash;
        Crash((CrashKeeps)_around.Settings.CrashKeeps);
    }

    /// <summary>A planned end within an operation does not come any more.</summary>
    public void Disarm()
    {
        if (Process is { DiskHandle: { } disk } process)
        {
            disk.OperationsUntilCrash = 0;
            process.FramesUntilCrash = 0;
        }
    }

    /// <summary>Stops as an operator would: everything closed in order.</summary>
    public void StopInOrder()
    {
        if (Process is not { } process)
        {
            return;
        }

        // Nothing in it waits: without a hand-over every part is done when the call returns.
        var stop = process.Kvorum.StopAsync(TimeSpan.Zero);
        if (!stop.IsCompleted)
        {
            _around.Violate("node", $"node {Place} did not stop at once.");
        }

        if (Process == process)
        {
            Ended(process, losesPower: false);
        }
    }

    /// <summary>The process stopped by itself.</summary>
    public void StoppedByItself(SimProcess process, Exception? reason)
    {
        if (Process != process)
        {
            return;
        }

        var isExpected = HasDiskFailed || IsDamaged;
        World.Say($"node {Place} stopped by itself: {reason?.Message}");
        Ended(process, losesPower: false);
        World.Injected.Add("node.stopped.itself");
        if (!isExpected || reason is InvariantException)
        {
            _around.Violate("node", $"node {Place} stopped by itself: {reason}");
        }
    }

    /// <summary>The node answered with what is neither a result nor an expected failure.</summary>
    public void Unexpected(Exception? error) =>
        _around.Violate("node", $"node {Place} answered with an unexpected failure: {error}");

    private void Ended(SimProcess process, bool losesPower)
    {
        Process = null;
        process.End();
        Disk.EndProcess();
        World.Trace(TraceKind.Stopped, Place, losesPower ? 1UL : 0);
        _around.Network.ProcessEnded(Place);
        foreach (var observer in _around.Observers)
        {
            observer.Stopped(Place, losesPower);
        }
    }

    private void Refuse(Exception reason)
    {
        World.Say($"node {Place} does not start: {reason.Message}");
        World.Injected.Add("node.refused.start");
        if (HasDiskFailed)
        {
            return; // For the moment: the disk may do better later.
        }

        if (IsDamaged && reason is IOException)
        {
            Refusal = reason.Message;
            return;
        }

        _around.Violate("node", $"node {Place} does not start although nothing durable was destroyed: {reason}");
    }

    private NodeOptions Options(SimProcess process)
    {
        var settings = _around.Settings;
        return new NodeOptions
        {
            Name = $"n{Place}",
            Node = (ulong)Place,
            ClusterId = Cluster,
            Voters = Contacts,
            IsJoining = JoinsAnew || Place > settings.Voters,
            DataPath = DataPath,
            OwnerNote = $"process {_starts}",
            OpenEngine = MemoryEngine.Create,
            TickInterval = TimeSpan.FromMicroseconds(settings.TickMicroseconds),
            HeartbeatTicks = settings.HeartbeatTicks,
            ElectionTicks = settings.ElectionTicks,
            SnapshotLogBytes = settings.SnapshotLogBytes,
            TrailingEntries = (ulong)settings.TrailingEntries,
            WalSegmentBytes = settings.WalSegmentBytes,
            AppendEntriesMax = settings.AppendEntriesMax,
            InflightMessagesMax = settings.InflightMessagesMax,
            SnapshotChunkBytesMax = settings.SnapshotChunkBytesMax,
            SnapshotChunksInflightMax = settings.SnapshotChunksInflightMax,
            SessionIdleMax = TimeSpan.FromMicroseconds(settings.SessionIdle),
            WatchRecentEventsMax = 64,
            WatchQueuedEventsMax = 8,
            Observer = process,
        };
    }
}
