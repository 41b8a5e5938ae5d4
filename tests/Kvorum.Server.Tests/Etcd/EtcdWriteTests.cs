using Kvorum.Protocol.Etcd;
using Kvorum.Protocol.Grpc;
using static Kvorum.Server.Tests.Etcd.EtcdClient;

namespace Kvorum.Server.Tests.Etcd;

/// <summary>Lines 3 and 5 of the interface: writes and compaction.</summary>
[Collection(EtcdNodeCollection.Name)]
public class EtcdWriteTests(EtcdNodeFixture node)
{
    private readonly EtcdClient _etcd = node.Client;

    [Fact]
    public async Task Etcd_3_1_an_empty_key_is_refused_an_empty_value_is_not()
    {
        Assert.Equal(
            (GrpcStatusCode.InvalidArgument, "etcdserver: key is not provided"),
            await FailureOfAsync(_etcd.PutAsync("", "x")));
        Assert.Equal(
            (GrpcStatusCode.InvalidArgument, "etcdserver: key is not provided"),
            await FailureOfAsync(_etcd.DeleteAsync("")));
        await _etcd.PutAsync("3.1", "");
        Assert.Equal("", Text(Assert.Single((await _etcd.GetAsync("3.1")).Kvs).Value));
    }

    [Fact]
    public async Task Etcd_3_2_the_previous_row_is_told_when_there_was_one()
    {
        var request = new PutRequest { Key = Bytes("3.2"), Value = Bytes("a"), PrevKv = true };
        Assert.Null((await _etcd.PutAsync(request)).PrevKv);
        var previous = (await _etcd.PutAsync(request)).PrevKv;
        Assert.Equal(("3.2", "a", 1), (Text(previous.Key), Text(previous.Value), previous.Version));
        Assert.Null((await _etcd.PutAsync("3.2", "b")).PrevKv);
    }

    [Fact]
    public async Task Etcd_3_3_ignore_value_keeps_the_value()
    {
        var request = new PutRequest { Key = Bytes("3.3"), IgnoreValue = true };
        Assert.Equal(
            (GrpcStatusCode.InvalidArgument, "etcdserver: key not found"),
            await FailureOfAsync(_etcd.PutAsync(request)));
        Assert.Equal(
            (GrpcStatusCode.InvalidArgument, "etcdserver: value is provided"),
            await FailureOfAsync(_etcd.PutAsync(new PutRequest(request) { Value = Bytes("x") })));
        await _etcd.PutAsync("3.3", "kept");
        var revision = (await _etcd.PutAsync(request)).Header.Revision;
        var row = Assert.Single((await _etcd.GetAsync("3.3")).Kvs);
        Assert.Equal(("kept", 2, revision), (Text(row.Value), row.Version, row.ModRevision));
    }

    [Fact]
    public async Task Etcd_3_4_ignore_lease_keeps_the_lease()
    {
        var request = new PutRequest { Key = Bytes("3.4"), Value = Bytes("x"), IgnoreLease = true };
        Assert.Equal(
            (GrpcStatusCode.InvalidArgument, "etcdserver: key not found"),
            await FailureOfAsync(_etcd.PutAsync(request)));
        var lease = (await _etcd.GrantAsync(600)).ID;
        Assert.Equal(
            (GrpcStatusCode.InvalidArgument, "etcdserver: lease is provided"),
            await FailureOfAsync(_etcd.PutAsync(new PutRequest(request) { Lease = lease })));
        await _etcd.PutAsync("3.4", "a", lease);
        await _etcd.PutAsync(request);
        Assert.Equal(lease, Assert.Single((await _etcd.GetAsync("3.4")).Kvs).Lease);
    }

    [Fact]
    public async Task Etcd_3_5_an_unknown_lease_is_refused()
    {
        Assert.Equal(
            (GrpcStatusCode.NotFound, "etcdserver: requested lease not found"),
            await FailureOfAsync(_etcd.PutAsync("3.5", "x", lease: 4_711)));
    }

    [Fact]
    public async Task Etcd_3_6_a_key_moves_to_another_lease_or_to_none()
    {
        var first = (await _etcd.GrantAsync(600)).ID;
        var second = (await _etcd.GrantAsync(600)).ID;
        await _etcd.PutAsync("3.6a", "x", first);
        await _etcd.PutAsync("3.6a", "x", second);
        await _etcd.PutAsync("3.6b", "x", first);
        await _etcd.PutAsync("3.6b", "x");
        await _etcd.RevokeAsync(first);
        Assert.Equal(2, (await _etcd.GetAsync("3.6", "3.7")).Count);
        await _etcd.RevokeAsync(second);
        Assert.Equal("3.6b", Text(Assert.Single((await _etcd.GetAsync("3.6", "3.7")).Kvs).Key));
    }

    [Fact]
    public async Task Etcd_3_7_a_delete_counts_and_tells_what_it_deleted_when_asked()
    {
        await _etcd.PutAsync("3.7a", "1");
        await _etcd.PutAsync("3.7b", "2");
        var silent = await _etcd.DeleteAsync("3.7a");
        Assert.Equal((1, 0), (silent.Deleted, silent.PrevKvs.Count));
        var told = await _etcd.DeleteAsync("3.7", "3.8", previous: true);
        Assert.Equal((1, "2"), (told.Deleted, Text(Assert.Single(told.PrevKvs).Value)));
        var nothing = await _etcd.DeleteAsync("3.7", "3.8", previous: true);
        Assert.Equal((0, told.Header.Revision), (nothing.Deleted, nothing.Header.Revision));
    }

    [Fact]
    public async Task Etcd_3_8_a_deleted_key_leaves_its_lease()
    {
        var lease = (await _etcd.GrantAsync(600)).ID;
        await _etcd.PutAsync("3.8", "x", lease);
        await _etcd.DeleteAsync("3.8");
        await _etcd.PutAsync("3.8", "again");
        Assert.Empty((await _etcd.TimeToLiveAsync(lease, keys: true)).Keys);
        await _etcd.RevokeAsync(lease);
        Assert.Single((await _etcd.GetAsync("3.8")).Kvs);
    }

    [Fact]
    public async Task Etcd_3_9_the_same_value_again_is_a_new_revision()
    {
        var first = (await _etcd.PutAsync("3.9", "x")).Header.Revision;
        Assert.Equal(first + 1, (await _etcd.PutAsync("3.9", "x")).Header.Revision);
    }

    [Fact]
    public async Task Etcd_5_1_a_revision_is_compacted_once_and_not_in_the_future()
    {
        var revision = (await _etcd.PutAsync("5.1", "x")).Header.Revision;
        Assert.Equal(
            (GrpcStatusCode.OutOfRange, "etcdserver: mvcc: required revision is a future revision"),
            await FailureOfAsync(_etcd.CompactAsync(revision + 1)));
        await _etcd.CompactAsync(revision);
        Assert.Equal(
            (GrpcStatusCode.OutOfRange, "etcdserver: mvcc: required revision has been compacted"),
            await FailureOfAsync(_etcd.CompactAsync(revision)));
    }

    [Fact]
    public async Task Etcd_5_2_the_newest_version_at_the_compacted_revision_stays()
    {
        await _etcd.PutAsync("5.2a", "1");
        var below = (await _etcd.PutAsync("5.2b", "1")).Header.Revision;
        var at = (await _etcd.DeleteAsync("5.2b")).Header.Revision;
        await _etcd.PutAsync("5.2a", "2");
        await _etcd.CompactAsync(at);
        Assert.Equal("1", Text(Assert.Single((await _etcd.GetAsync("5.2", "5.3", at)).Kvs).Value));
        Assert.Equal(
            (GrpcStatusCode.OutOfRange, "etcdserver: mvcc: required revision has been compacted"),
            await FailureOfAsync(_etcd.GetAsync("5.2", "5.3", below)));
    }

    [Fact]
    public async Task Etcd_5_3_a_compaction_leaves_the_revision_alone()
    {
        var revision = (await _etcd.PutAsync("5.3", "x")).Header.Revision;
        Assert.Equal(revision, (await _etcd.CompactAsync(revision, isPhysical: true)).Header.Revision);
        Assert.Equal(revision, await _etcd.RevisionAsync());
    }

    [Fact]
    public async Task Etcd_5_4_a_delete_at_the_compacted_revision_can_be_watched()
    {
        await _etcd.PutAsync("5.4", "x");
        var deleted = (await _etcd.DeleteAsync("5.4")).Header.Revision;
        await _etcd.PutAsync("5.4", "y");
        await _etcd.CompactAsync(deleted);
        using var watch = await _etcd.WatchAsync();
        await watch.WriteAsync(new WatchRequest
        {
            CreateRequest = new WatchCreateRequest { Key = Bytes("5.4"), StartRevision = deleted },
        });
        Assert.True((await watch.NextAsync()).Created);
        var told = await watch.NextAsync();
        Assert.Equal([deleted, deleted + 1], told.Events.Select(happened => happened.Kv.ModRevision));
        Assert.Equal(Event.Types.EventType.Delete, told.Events[0].Type);
    }

    [Fact]
    public async Task A_write_with_a_session_takes_effect_once()
    {
        var request = new PutRequest { Key = Bytes("once"), Value = Bytes("x") };
        (string, string)[] stamp = [("kvorum-session", "5e55"), ("kvorum-sequence", "1")];
        var first = await _etcd.PutAsync(request, stamp);
        await _etcd.PutAsync("once", "other");
        var again = await _etcd.PutAsync(request, stamp);
        Assert.Equal(first.Header.Revision, again.Header.Revision);
        Assert.Equal("other", Text(Assert.Single((await _etcd.GetAsync("once")).Kvs).Value));
    }
}
