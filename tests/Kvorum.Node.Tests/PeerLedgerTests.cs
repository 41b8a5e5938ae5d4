using Kvorum.Raft;
using Kvorum.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kvorum.Node.Tests;

/// <summary>What a node remembers of its peers' directories.</summary>
public sealed class PeerLedgerTests
{
    [Fact]
    public async Task The_identity_is_read_while_the_disk_hangs_and_shows_only_what_is_durable()
    {
        var path = Directory.CreateTempSubdirectory("kvorum-ledger-").FullName;
        try
        {
            var disk = new UnwellDisk();
            using var directory = DataDirectory.Open(disk, path, 77, new NodeId(1), newIncarnation: 11, "a test");
            var ledger = new PeerLedger(directory, 12, NullLogger.Instance, static _ => { });
            var members = new Membership([new NodeId(1), new NodeId(2)], []);
            ledger.SetMembership(members, members.Members);

            disk.HangSyncs("identity.tmp");
            var hello = new PeerHello(77, Node: 2, To: 1, Incarnation: 22, RememberedIncarnation: 0);
            var judged = Task.Run(() => ledger.Judge(hello), TestContext.Current.CancellationToken);
            await TestCluster.UntilAsync("the gate waits for the disk", () => disk.Waiting == 1);
            var read = Task.Run(() => ledger.Identity, TestContext.Current.CancellationToken);
            await TestCluster.UntilAsync("the identity was read meanwhile", () => read.IsCompleted);
            Assert.Empty((await read).Peers);
            Assert.False(judged.IsCompleted);

            disk.LetSyncsGo();
            Assert.Null(await judged);
            Assert.Equal([new PeerIdentity(new NodeId(2), 22, IsReplaced: false)], ledger.Identity.Peers);
        }
        finally
        {
            Directory.Delete(path, recursive: true);
        }
    }
}
