using static Kvorum.Kv.Tests.TestMachine;

namespace Kvorum.Kv.Tests;

/// <summary>Compaction (etcd v3 API, CompactionRequest).</summary>
public class CompactTests
{
    private static TestMachine Three()
    {
        var test = new TestMachine();
        test.Put("a", "1");
        test.Put("a", "2");
        test.Put("b", "1");
        return test;
    }

    [Fact]
    public void A_compaction_takes_no_revision_and_keeps_the_newest_version_of_each_key()
    {
        using var test = Three();
        var result = test.Apply(new Compact(4));
        Assert.Equal((CommandStatus.Ok, 4L, 0L), (result.Status, result.Revision, result.Count));
        Assert.Equal(("2", "1"), (test.Get("a"), test.Get("b")));
        Assert.Equal(2, test.Row("a")!.Version);
        Assert.Equal(5, test.Put("c", "1").Revision);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-5)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_revision_compacted_before_is_refused(long revision)
    {
        using var test = Three();
        test.Apply(new Compact(3));
        Assert.Equal(CommandStatus.Compacted, test.Apply(new Compact(revision)).Status);
    }

    [Fact]
    public void A_revision_in_the_future_is_refused_and_nothing_is_dropped()
    {
        using var test = Three();
        Assert.Equal(CommandStatus.FutureRevision, test.Apply(new Compact(5)).Status);
        Assert.Equal("1", test.Get("a", atRevision: 2));
    }

    [Fact]
    public void A_key_deleted_at_the_compacted_revision_is_gone_and_may_come_back()
    {
        using var test = Three();
        test.Delete("a");
        test.Apply(new Compact(5));
        Assert.Null(test.Get("a"));
        Assert.Equal(6, test.Put("a", "new").Revision);
        Assert.Equal(1, test.Row("a")!.Version);
    }

    [Fact]
    public void Compactions_go_on_from_each_other()
    {
        using var test = Three();
        Assert.Equal(CommandStatus.Ok, test.Apply(new Compact(2)).Status);
        Assert.Equal(CommandStatus.Ok, test.Apply(new Compact(3)).Status);
        test.Machine.Publish();
        Assert.Equal(3, test.Engine.CompactedRevision);
        Assert.Equal(CommandStatus.Ok, test.Apply(new Compact(4)).Status);
    }

    [Fact]
    public void An_open_view_still_reads_what_was_compacted_later()
    {
        using var test = Three();
        test.Machine.Publish();
        using var view = test.Engine.OpenView();
        test.Apply(new Compact(4));
        test.Machine.Publish();
        var result = new RangeQuery(Bytes("a"), default) { AtRevision = 2 }.Execute(view);
        Assert.Equal("1", Text(result.Rows[0].Value));
    }
}
