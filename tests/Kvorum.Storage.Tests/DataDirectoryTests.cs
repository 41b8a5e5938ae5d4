using Kvorum.Raft;

namespace Kvorum.Storage.Tests;

public sealed class DataDirectoryTests : IDisposable
{
    private readonly TemporaryDirectory _temporary = new();
    private readonly FileDisk _disk = new();

    private string Path => _temporary.Combine("data");

    public void Dispose() => _temporary.Dispose();

    [Fact]
    public void A_new_directory_gets_the_identity_and_keeps_it()
    {
        using (var directory = Open(incarnation: 11))
        {
            Assert.True(directory.IsNew);
            Assert.Equal(11UL, directory.Identity.Incarnation);
            Assert.True(directory.Identity.MayVote);
        }

        using var again = Open(incarnation: 12);
        Assert.False(again.IsNew);
        Assert.Equal(11UL, again.Identity.Incarnation);
        Assert.Equal(new NodeId(3), again.Identity.Node);
        Assert.Equal(7UL, again.Identity.ClusterId);
    }

    [Fact]
    public void A_saved_identity_is_found_again()
    {
        var peers = new[] { new PeerIdentity(new NodeId(1), 5, false), new PeerIdentity(new NodeId(2), 6, true) };
        using (var directory = Open())
        {
            directory.Save(directory.Identity with { MayVote = false, Peers = peers });
        }

        using var again = Open();
        Assert.False(again.Identity.MayVote);
        Assert.Equal(peers, again.Identity.Peers);
    }

    [Fact]
    public void A_second_owner_is_told_who_holds_the_directory()
    {
        using (Open(note: "pid 4711"))
        {
            var refusal = Assert.Throws<DataDirectoryException>(() => Open(note: "pid 4712"));
            Assert.Contains("pid 4711", refusal.Message, StringComparison.Ordinal);
        }

        Open(note: "pid 4713").Dispose();
    }

    [Fact]
    public void Another_cluster_or_node_is_refused_with_both_names()
    {
        Open().Dispose();
        var cluster = Assert.Throws<DataDirectoryException>(
            () => DataDirectory.Open(_disk, Path, 8, new NodeId(3), 1, "pid 1"));
        Assert.Contains("expected cluster 8", cluster.Message, StringComparison.Ordinal);
        Assert.Contains("found cluster 7", cluster.Message, StringComparison.Ordinal);
        Assert.Throws<DataDirectoryException>(() => DataDirectory.Open(_disk, Path, 7, new NodeId(4), 1, "pid 1"));
        Open().Dispose(); // The refusals gave the lock back.
    }

    [Fact]
    public void A_flipped_bit_anywhere_in_the_identity_is_refused()
    {
        using (var directory = Open())
        {
            directory.Save(directory.Identity with { Peers = [new PeerIdentity(new NodeId(1), 5, false)] });
        }

        var file = System.IO.Path.Combine(Path, "identity");
        var good = File.ReadAllBytes(file);
        for (var i = 0; i < good.Length; i++)
        {
            var bad = (byte[])good.Clone();
            bad[i] ^= (byte)(1 << (i % 8));
            File.WriteAllBytes(file, bad);
            Assert.Throws<DataDirectoryException>(() => Open());
        }

        for (var length = 0; length < good.Length; length++)
        {
            File.WriteAllBytes(file, good[..length]);
            Assert.Throws<DataDirectoryException>(() => Open());
        }
    }

    [Fact]
    public void A_directory_with_a_log_but_without_an_identity_is_refused()
    {
        using (var directory = Open())
        {
            Wal.Open(_disk, directory.WalPath, Logs.Options()).Dispose();
        }

        _disk.Delete(System.IO.Path.Combine(Path, "identity"));
        var refusal = Assert.Throws<DataDirectoryException>(() => Open());
        Assert.Contains("expected a file identity", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_directory_that_lost_its_log_says_so()
    {
        using (var directory = Open())
        {
            Assert.False(directory.HasLostLog);
            using var wal = Wal.Open(_disk, directory.WalPath, Logs.Options());
            directory.RememberLog();
        }

        using (var whole = Open())
        {
            Assert.False(whole.HasLostLog);
        }

        Directory.Delete(System.IO.Path.Combine(Path, "wal"), recursive: true);
        using var lost = Open();
        Assert.True(lost.HasLostLog);
    }

    [Fact]
    public void A_directory_that_gave_up_its_vote_has_another_incarnation_and_owes_a_repair_until_it_is_done()
    {
        using (var directory = Open(incarnation: 11))
        {
            directory.RememberDamage();
            Assert.True(directory.Identity.MayVote);
            directory.BeginRepair(newIncarnation: 11);
        }

        ulong incarnation;
        using (var directory = Open())
        {
            Assert.False(directory.Identity.MayVote);
            Assert.NotEqual(11UL, incarnation = directory.Identity.Incarnation);
            Assert.True(directory.IsLogDamaged);
            directory.ForgetDamage();
        }

        using var again = Open();
        Assert.False(again.IsLogDamaged);
        Assert.False(again.Identity.MayVote);
        Assert.Equal(incarnation, again.Identity.Incarnation);
    }

    [Fact]
    public void Directories_and_files_are_for_the_owner_only_also_when_they_were_not()
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        Directory.CreateDirectory(Path, (UnixFileMode)0b111_111_111);
        using (var data = Open())
        {
            Wal.Open(_disk, data.WalPath, Logs.Options()).Dispose();
        }

        File.SetUnixFileMode(System.IO.Path.Combine(Path, "identity"), (UnixFileMode)0b110_110_110);
        using (Open())
        {
        }

        foreach (var directory in Directory.GetDirectories(Path).Append(Path))
        {
            Assert.Equal((UnixFileMode)0b111_000_000, File.GetUnixFileMode(directory));
        }

        var files = Directory.GetFiles(Path, "*", SearchOption.AllDirectories);
        Assert.True(files.Length >= 3);
        foreach (var file in files)
        {
            Assert.Equal((UnixFileMode)0b110_000_000, File.GetUnixFileMode(file));
        }
    }

    private DataDirectory Open(ulong incarnation = 1, string note = "pid 1") =>
        DataDirectory.Open(_disk, Path, clusterId: 7, new NodeId(3), incarnation, note);
}
