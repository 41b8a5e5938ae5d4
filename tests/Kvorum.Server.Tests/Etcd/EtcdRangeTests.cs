using Kvorum.Protocol.Etcd;
using Kvorum.Protocol.Grpc;
using static Kvorum.Server.Tests.Etcd.EtcdClient;

namespace Kvorum.Server.Tests.Etcd;

/// <summary>Lines 1 and 2 of the interface: headers and ranges.</summary>
[Collection(EtcdNodeCollection.Name)]
public class EtcdRangeTests(EtcdNodeFixture node)
{
    private readonly EtcdClient _etcd = node.Client;

    [Fact]
    public async Task Etcd_1_2_ids_are_not_zero_and_stay_and_the_term_is_at_least_2_or_so()
    {
        var first = (await _etcd.PutAsync("1.2", "x")).Header;
        var second = (await _etcd.GetAsync("1.2")).Header;
        Assert.NotEqual(0u, first.ClusterId);
        Assert.NotEqual(0u, first.MemberId);
        Assert.Equal((first.ClusterId, first.MemberId), (second.ClusterId, second.MemberId));
        Assert.InRange(second.RaftTerm, 1u, ulong.MaxValue);
    }

    [Fact]
    public async Task Etcd_1_3_every_write_answers_with_the_next_revision()
    {
        var before = await _etcd.RevisionAsync();
        Assert.Equal(before + 1, (await _etcd.PutAsync("1.3", "a")).Header.Revision);
        Assert.Equal(before + 1, (await _etcd.GetAsync("1.3")).Header.Revision);
        Assert.Equal(before + 2, (await _etcd.DeleteAsync("1.3")).Header.Revision);
    }

    [Fact]
    public async Task Etcd_1_6_many_keys_make_one_revision_and_nothing_makes_none()
    {
        foreach (var key in new[] { "1.6a", "1.6b", "1.6c" })
        {
            await _etcd.PutAsync(key, "x");
        }

        var before = await _etcd.RevisionAsync();
        var deleted = await _etcd.DeleteAsync("1.6", "1.7");
        Assert.Equal((3, before + 1), (deleted.Deleted, deleted.Header.Revision));
        deleted = await _etcd.DeleteAsync("1.6", "1.7");
        Assert.Equal((0, before + 1), (deleted.Deleted, deleted.Header.Revision));
    }

    [Fact]
    public async Task Etcd_1_7_a_failed_operation_uses_no_revision()
    {
        var before = await _etcd.RevisionAsync();
        await FailureOfAsync(_etcd.PutAsync("1.7", "x", lease: 987_654));
        Assert.Equal(before, await _etcd.RevisionAsync());
        Assert.Empty((await _etcd.GetAsync("1.7")).Kvs);
    }

    [Fact]
    public async Task Etcd_1_9_a_request_above_a_megabyte_and_a_half_is_too_large_and_hears_so()
    {
        var failure = await FailureOfAsync(_etcd.PutAsync("1.9", new string('x', (1536 * 1024) + 1)));
        Assert.Equal((GrpcStatusCode.InvalidArgument, "etcdserver: request is too large"), failure);
        await _etcd.PutAsync("1.9", new string('x', (1536 * 1024) - 100));
    }

    [Fact]
    public async Task Etcd_1_11_metadata_nobody_knows_is_passed_over()
    {
        var response = await _etcd.RangeAsync(
            new RangeRequest { Key = Bytes("1.11") }, ("client-api-version", "3.5.21"), ("x-else", "1"));
        Assert.NotEqual(0, response.Header.Revision);
    }

    [Fact]
    public async Task Etcd_1_15_http_1_1_and_http_2_share_the_port()
    {
        await _etcd.PutAsync("1.15", "x");
        using var response = await node.Http.GetAsync(node.Url("/livez"), GrpcClient.Cancel);
        Assert.Equal((200, new Version(1, 1)), ((int)response.StatusCode, response.Version));
    }

    [Fact]
    public async Task Etcd_2_1_an_empty_key_is_refused()
    {
        Assert.Equal(
            (GrpcStatusCode.InvalidArgument, "etcdserver: key is not provided"),
            await FailureOfAsync(_etcd.GetAsync("")));
    }

    [Fact]
    public async Task Etcd_2_2_an_unknown_sort_is_refused()
    {
        foreach (var request in new[]
        {
            new RangeRequest { Key = Bytes("2.2"), SortOrder = (RangeRequest.Types.SortOrder)3 },
            new RangeRequest { Key = Bytes("2.2"), SortTarget = (RangeRequest.Types.SortTarget)5 },
            new RangeRequest { Key = Bytes("2.2"), SortTarget = (RangeRequest.Types.SortTarget)(-1) },
        })
        {
            Assert.Equal(
                (GrpcStatusCode.InvalidArgument, "etcdserver: invalid sort option"),
                await FailureOfAsync(_etcd.RangeAsync(request)));
        }
    }

    [Theory]
    [InlineData("2.3b", "", "2.3b")]
    [InlineData("2.3a", "2.3c", "2.3a 2.3b")]
    [InlineData("2.3c", "2.3b", "")]
    [InlineData("2.3b", "2.3b", "")]
    [InlineData("2.3b", "2.3\xFF", "2.3b 2.3c")]
    public async Task Etcd_2_3_a_range_is_half_open(string key, string end, string expected)
    {
        foreach (var name in new[] { "2.3a", "2.3b", "2.3c" })
        {
            await _etcd.PutAsync(name, "x");
        }

        var found = await _etcd.GetAsync(key, end);
        Assert.Equal(expected, string.Join(' ', found.Kvs.Select(row => Text(row.Key))));
        Assert.Equal(found.Kvs.Count, found.Count);
    }

    [Fact]
    public async Task Etcd_2_3_a_zero_byte_as_the_end_means_no_end()
    {
        await _etcd.PutAsync("\xFE\xFE", "last");
        var fromKey = await _etcd.GetAsync("\xFE", "\0");
        Assert.Equal("\xFE\xFE", Text(Assert.Single(fromKey.Kvs).Key));
        var all = await _etcd.RangeAsync(
            new RangeRequest { Key = Bytes("\0"), RangeEnd = Bytes("\0"), CountOnly = true });
        Assert.True(all.Count > fromKey.Count);
    }

    [Fact]
    public async Task Etcd_2_4_keys_are_any_bytes_in_unsigned_order()
    {
        string[] keys = ["2.4\0", "2.4\x01", "2.4a", "2.4\x7F", "2.4\x80", "2.4\xFF"];
        foreach (var key in keys.Reverse())
        {
            await _etcd.PutAsync(key, "\0\xFF\xC0");
        }

        var found = await _etcd.GetAsync("2.4", "2.5");
        Assert.Equal(keys, found.Kvs.Select(row => Text(row.Key)));
        Assert.All(found.Kvs, row => Assert.Equal("\0\xFF\xC0", Text(row.Value)));
    }

    [Fact]
    public async Task Etcd_2_5_and_2_6_old_revisions_are_read_and_the_header_tells_the_current_one()
    {
        var first = (await _etcd.PutAsync("2.5", "old")).Header.Revision;
        var second = (await _etcd.PutAsync("2.5", "new")).Header.Revision;
        var old = await _etcd.GetAsync("2.5", revision: first);
        Assert.Equal(("old", second), (Text(Assert.Single(old.Kvs).Value), old.Header.Revision));
        Assert.Equal("new", Text(Assert.Single((await _etcd.GetAsync("2.5", revision: -7)).Kvs).Value));
        Assert.Equal(
            (GrpcStatusCode.OutOfRange, "etcdserver: mvcc: required revision is a future revision"),
            await FailureOfAsync(_etcd.GetAsync("2.5", revision: second + 1)));
    }

    [Fact]
    public async Task Etcd_2_7_limit_more_count()
    {
        foreach (var key in new[] { "2.7a", "2.7b", "2.7c" })
        {
            await _etcd.PutAsync(key, "x");
        }

        foreach (var (limit, rows, hasMore) in new[] { (2, 2, true), (3, 3, false), (0, 3, false), (9, 3, false) })
        {
            var found = await _etcd.RangeAsync(
                new RangeRequest { Key = Bytes("2.7"), RangeEnd = Bytes("2.8"), Limit = limit });
            Assert.Equal((rows, hasMore, 3), (found.Kvs.Count, found.More, found.Count));
        }
    }

    [Fact]
    public async Task Etcd_2_8_pages_at_one_revision_are_one_picture()
    {
        for (var i = 0; i < 10; i++)
        {
            await _etcd.PutAsync($"2.8/{i}", "before");
        }

        var keys = new List<string>();
        var next = "2.8/";
        var revision = 0L;
        while (true)
        {
            var page = await _etcd.RangeAsync(new RangeRequest
            {
                Key = Bytes(next),
                RangeEnd = Bytes("2.80"),
                Limit = 3,
                Revision = revision,
            });
            keys.AddRange(page.Kvs.Select(row => $"{Text(row.Key)}={Text(row.Value)}"));
            revision = revision == 0 ? page.Header.Revision : revision;
            if (!page.More)
            {
                break;
            }

            next = Text(page.Kvs[^1].Key) + "\0";
            await _etcd.PutAsync($"2.8/{9 - page.Kvs.Count}", "after");
            await _etcd.DeleteAsync("2.8/8");
        }

        Assert.Equal(Enumerable.Range(0, 10).Select(i => $"2.8/{i}=before"), keys);
    }

    [Fact]
    public async Task Etcd_2_9_every_target_sorts_both_ways_before_the_limit()
    {
        await _etcd.PutAsync("2.9a", "3");
        await _etcd.PutAsync("2.9b", "1");
        await _etcd.PutAsync("2.9b", "1");
        await _etcd.PutAsync("2.9b", "1");
        await _etcd.PutAsync("2.9c", "2");
        await _etcd.PutAsync("2.9a", "3");
        foreach (var (target, order) in new[]
        {
            (RangeRequest.Types.SortTarget.Key, "abc"),
            (RangeRequest.Types.SortTarget.Version, "cab"),
            (RangeRequest.Types.SortTarget.Create, "abc"),
            (RangeRequest.Types.SortTarget.Mod, "bca"),
            (RangeRequest.Types.SortTarget.Value, "bca"),
        })
        {
            Assert.Equal(order, await SortedAsync(target, RangeRequest.Types.SortOrder.None));
            Assert.Equal(order, await SortedAsync(target, RangeRequest.Types.SortOrder.Ascend));
            Assert.Equal(
                string.Concat(order.Reverse()), await SortedAsync(target, RangeRequest.Types.SortOrder.Descend));
            Assert.Equal(order[2..], await SortedAsync(target, RangeRequest.Types.SortOrder.Descend, limit: 1));
        }
    }

    [Fact]
    public async Task Etcd_2_10_filters_by_revision_are_inclusive_and_do_not_change_the_count()
    {
        var a = (await _etcd.PutAsync("2.10a", "x")).Header.Revision;
        var b = (await _etcd.PutAsync("2.10b", "x")).Header.Revision;
        var c = (await _etcd.PutAsync("2.10a", "x")).Header.Revision; // a was created at a, modified at c.
        async Task<string> Find(RangeRequest request)
        {
            request.Key = Bytes("2.10");
            request.RangeEnd = Bytes("2.11");
            var found = await _etcd.RangeAsync(request);
            Assert.Equal(2, found.Count);
            return string.Concat(found.Kvs.Select(row => Text(row.Key)[4..]));
        }

        Assert.Equal("b", await Find(new RangeRequest { MaxModRevision = b }));
        Assert.Equal("a", await Find(new RangeRequest { MinModRevision = c }));
        Assert.Equal("ab", await Find(new RangeRequest { MinModRevision = b }));
        Assert.Equal("a", await Find(new RangeRequest { MaxCreateRevision = a }));
        Assert.Equal("b", await Find(new RangeRequest { MinCreateRevision = b }));
    }

    [Fact]
    public async Task Etcd_2_11_keys_only_and_count_only()
    {
        var revision = (await _etcd.PutAsync("2.11", "value")).Header.Revision;
        var keys = await _etcd.RangeAsync(new RangeRequest { Key = Bytes("2.11"), KeysOnly = true });
        var row = Assert.Single(keys.Kvs);
        Assert.Equal(("2.11", "", revision), (Text(row.Key), Text(row.Value), row.ModRevision));
        var count = await _etcd.RangeAsync(new RangeRequest { Key = Bytes("2.11"), CountOnly = true, Limit = 1 });
        Assert.Equal((1, 0), (count.Count, count.Kvs.Count));
    }

    [Fact]
    public async Task Etcd_2_12_a_version_begins_at_1_and_again_after_a_delete()
    {
        await _etcd.PutAsync("2.12", "x");
        await _etcd.PutAsync("2.12", "x");
        Assert.Equal(2, Assert.Single((await _etcd.GetAsync("2.12")).Kvs).Version);
        await _etcd.DeleteAsync("2.12");
        var created = (await _etcd.PutAsync("2.12", "x")).Header.Revision;
        var row = Assert.Single((await _etcd.GetAsync("2.12")).Kvs);
        Assert.Equal((1, created, created), (row.Version, row.CreateRevision, row.ModRevision));
    }

    [Fact]
    public async Task Etcd_2_13_a_serializable_read_is_answered()
    {
        await _etcd.PutAsync("2.13", "x");
        var found = await _etcd.RangeAsync(new RangeRequest { Key = Bytes("2.13"), Serializable = true });
        Assert.Single(found.Kvs);
    }

    [Fact]
    public async Task Etcd_2_15_a_row_names_the_lease_it_had_at_that_revision()
    {
        var lease = (await _etcd.GrantAsync(600)).ID;
        var on = (await _etcd.PutAsync("2.15", "x", lease)).Header.Revision;
        await _etcd.PutAsync("2.15", "x");
        Assert.Equal(lease, Assert.Single((await _etcd.GetAsync("2.15", revision: on)).Kvs).Lease);
        Assert.Equal(0, Assert.Single((await _etcd.GetAsync("2.15")).Kvs).Lease);
    }

    private async Task<string> SortedAsync(
        RangeRequest.Types.SortTarget target, RangeRequest.Types.SortOrder order, long limit = 0)
    {
        var found = await _etcd.RangeAsync(new RangeRequest
        {
            Key = Bytes("2.9"),
            RangeEnd = Bytes("2.9z"),
            SortTarget = target,
            SortOrder = order,
            Limit = limit,
        });
        return string.Concat(found.Kvs.Select(row => Text(row.Key)[3..]));
    }
}
