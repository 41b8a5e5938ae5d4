using Kvorum.Kv;
using Kvorum.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kvorum.Node.Tests;

/// <summary>However a node ends, nobody waits for ever and nothing stays open.</summary>
public sealed class StopTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("kvorum-stop-").FullName;

    [Fact]
    public async Task Callers_that_came_after_the_last_turn_hear_that_the_node_stopped()
    {
        var node = Open(new Idle(), new FileDisk());
        var write = node.ProposeAsync(TestCluster.PutOf("key", "value"), TestCluster.Patience, CancellationToken.None);
        var read = node.ReadAsync(Query(), Consistency.Linearizable, TestCluster.Patience, CancellationToken.None);
        var snapshot = node.TakeSnapshotAsync(CancellationToken.None);
        await node.StopAsync(TimeSpan.Zero);
        Assert.True(write.IsCompleted && read.IsCompleted);
        await Assert.ThrowsAsync<NodeStoppedException>(() => write);
        await Assert.ThrowsAsync<NodeStoppedException>(() => read);
        Assert.True(snapshot.IsCompleted);
        await Assert.ThrowsAsync<NodeStoppedException>(() => snapshot);
        await Assert.ThrowsAsync<NodeStoppedException>(
            () => node.ReadAsync(Query(), Consistency.Local, TestCluster.Patience, CancellationToken.None));
    }

    [Fact]
    public async Task A_disk_that_fails_while_the_node_closes_is_told_and_the_directory_is_let_go()
    {
        var disk = new FailingDisk(new FileDisk());
        var node = Open(new Idle(), disk);
        disk.IsFailing = true;
        await Assert.ThrowsAsync<SyncFailedException>(() => node.StopAsync(TimeSpan.Zero));
        Assert.True(node.Stopped.IsFaulted);
        disk.IsFailing = false;
        await using var again = Open(new Idle(), disk);
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private static RangeQuery Query() => new("key"u8.ToArray(), default);

    private KvorumNode Open(IExecutor executor, IDisk disk) => KvorumNode.Open(
        new NodeOptions
        {
            Name = "n1",
            Node = 1,
            ClusterId = 77,
            Voters = [1],
            DataPath = Path.Combine(_root, "n1"),
            WalSegmentBytes = 1024 * 1024,
        },
        new MemoryNetwork().PortOf(1), disk, executor, TimeProvider.System, seed: 1, newIncarnation: 1,
        NullLoggerFactory.Instance);

    /// <summary>Its workers never get a turn.</summary>
    private sealed class Idle : IExecutor
    {
        public IWorker Attach(string name, Action turn, TimeSpan? every = null) => new Worker();

        public void Queue(IThreadPoolWorkItem work) => work.Execute();

        private sealed class Worker : IWorker
        {
            public void Wake()
            {
            }

            public void Stop()
            {
            }
        }
    }

    private sealed class FailingDisk(IDisk disk) : IDisk
    {
        public bool IsFailing { get; set; }

        public IDiskFile Open(string path, bool create) => new FailingFile(this, disk.Open(path, create));

        public bool Exists(string path) => disk.Exists(path);

        public IReadOnlyList<string> List(string directory) => disk.List(directory);

        public void CreateDirectory(string path) => disk.CreateDirectory(path);

        public void Rename(string from, string to) => disk.Rename(from, to);

        public void Delete(string path) => disk.Delete(path);

        public void SyncDirectory(string path) => disk.SyncDirectory(path);

        public IDisposable? TryLock(string path) => disk.TryLock(path);

        private sealed class FailingFile(FailingDisk owner, IDiskFile file) : IDiskFile
        {
            public string Path => file.Path;

            public long Length => file.Length;

            public int Read(Span<byte> buffer, long offset) => file.Read(buffer, offset);

            public void Write(ReadOnlySpan<byte> bytes, long offset) => file.Write(bytes, offset);

            public void SetLength(long length) => file.SetLength(length);

            public void Sync()
            {
                if (owner.IsFailing)
                {
                    throw new SyncFailedException("The disk failed.");
                }

                file.Sync();
            }

            public void Dispose() => file.Dispose();
        }
    }
}
