using Kvorum.Protocol.Etcd;
using Kvorum.Protocol.Grpc;
using static Kvorum.Server.Tests.Etcd.EtcdClient;

namespace Kvorum.Server.Tests.Etcd;

/// <summary>Line 6 of the interface: watches.</summary>
[Collection(EtcdNodeCollection.Name)]
public class EtcdWatchTests(EtcdNodeFixture node)
{
    private const string Compacted = "etcdserver: mvcc: required revision has been compacted";

    private readonly EtcdClient _etcd = node.Client;

    [Fact]
    public async Task Etcd_6_1_first_comes_created_with_the_current_revision()
    {
        var before = await _etcd.RevisionAsync();
        using var watch = await WatchAsync(new WatchCreateRequest { Key = Bytes("6.1") });
        var created = await watch.NextAsync();
        Assert.Equal((true, 0, before), (created.Created, created.WatchId, created.Header.Revision));
        Assert.Empty(created.Events);
    }

    [Fact]
    public async Task Etcd_6_2_ids_are_counted_or_chosen_and_never_doubled()
    {
        using var watch = await WatchAsync(
            new WatchCreateRequest { Key = Bytes("6.2") }, new WatchCreateRequest { Key = Bytes("6.2"), WatchId = 2 },
            new WatchCreateRequest { Key = Bytes("6.2") }, new WatchCreateRequest { Key = Bytes("6.2") },
            new WatchCreateRequest { Key = Bytes("6.2"), WatchId = 3 });
        foreach (var id in new[] { 0, 2, 1, 3 })
        {
            Assert.Equal(id, (await watch.NextAsync()).WatchId);
        }

        var refused = await watch.NextAsync();
        Assert.Equal((true, true, -1), (refused.Created, refused.Canceled, refused.WatchId));
        Assert.Equal("mvcc: duplicate watch ID provided on the WatchStream", refused.CancelReason);
    }

    [Fact]
    public async Task Etcd_6_3_many_watchers_share_a_stream()
    {
        using var watch = await WatchAsync(
            new WatchCreateRequest { Key = Bytes("6.3a") },
            new WatchCreateRequest { Key = Bytes("6.3"), RangeEnd = Bytes("6.4") });
        await watch.NextAsync();
        await watch.NextAsync();
        await _etcd.PutAsync("6.3a", "x");
        var told = new[] { await watch.NextAsync(), await watch.NextAsync() };
        Assert.Equal([0, 1], told.Select(response => response.WatchId).Order());
        Assert.All(told, response => Assert.Equal("6.3a", Text(Assert.Single(response.Events).Kv.Key)));
    }

    [Fact]
    public async Task Etcd_6_4_an_empty_range_is_refused()
    {
        using var watch = await WatchAsync(new WatchCreateRequest { Key = Bytes("6.4b"), RangeEnd = Bytes("6.4a") });
        var refused = await watch.NextAsync();
        Assert.Equal((true, true, -1), (refused.Created, refused.Canceled, refused.WatchId));
        Assert.Equal("mvcc: watcher range is empty", refused.CancelReason);
    }

    [Fact]
    public async Task Etcd_6_4_an_empty_key_with_a_zero_end_is_everything()
    {
        using var watch = await WatchAsync(new WatchCreateRequest { RangeEnd = Bytes("\0") });
        await watch.NextAsync();
        await _etcd.PutAsync("6.4all", "x");
        Assert.Equal("6.4all", Text((await watch.NextAsync()).Events[0].Kv.Key));
    }

    [Fact]
    public async Task Etcd_6_5_a_start_in_the_past_tells_all_from_there_one_in_the_future_nothing_below()
    {
        var first = (await _etcd.PutAsync("6.5", "1")).Header.Revision;
        await _etcd.PutAsync("6.5", "2");
        await _etcd.DeleteAsync("6.5");
        using var watch = await WatchAsync(
            new WatchCreateRequest { Key = Bytes("6.5"), StartRevision = first + 1 },
            new WatchCreateRequest { Key = Bytes("6.5"), StartRevision = first + 4 });
        await _etcd.PutAsync("6.5", "3");
        await _etcd.PutAsync("6.5", "4");
        var told = new List<string>[] { [], [] };
        while (told[0].Count < 4 || told[1].Count < 1)
        {
            var response = await watch.NextAsync();
            told[response.WatchId].AddRange(response.Events.Select(
                happened => $"{happened.Type} {Text(happened.Kv.Value)}"));
        }

        Assert.Equal(["Put 2", "Delete ", "Put 3", "Put 4"], told[0]);
        Assert.Equal(["Put 4"], told[1]);
    }

    [Fact]
    public async Task Etcd_6_6_a_start_below_the_compaction_is_cancelled_and_told_where_to_begin()
    {
        var old = (await _etcd.PutAsync("6.6", "1")).Header.Revision;
        var compacted = (await _etcd.PutAsync("6.6", "2")).Header.Revision;
        await _etcd.CompactAsync(compacted);
        using var watch = await WatchAsync(
            new WatchCreateRequest { Key = Bytes("6.6"), StartRevision = old, WatchId = 7 },
            new WatchCreateRequest { Key = Bytes("6.6"), StartRevision = compacted, WatchId = 8 });
        var told = new List<WatchResponse>();
        while (told.Count < 4)
        {
            told.Add(await watch.NextAsync());
        }

        var seven = told.Where(response => response.WatchId == 7).ToList();
        Assert.True(seven[0].Created);
        Assert.Equal(
            (true, compacted, Compacted), (seven[1].Canceled, seven[1].CompactRevision, seven[1].CancelReason));
        Assert.Equal("2", Text(told.Last(response => response.WatchId == 8).Events.Single().Kv.Value));
    }

    [Fact]
    public async Task Etcd_6_7_a_start_below_0_is_refused_as_compacted()
    {
        using var watch = await WatchAsync(new WatchCreateRequest { Key = Bytes("6.7"), StartRevision = -1 });
        var refused = await watch.NextAsync();
        Assert.Equal((true, true, -1), (refused.Created, refused.Canceled, refused.WatchId));
        Assert.Equal(Compacted, refused.CancelReason);
    }

    [Fact]
    public async Task Etcd_6_8_a_revision_is_whole_without_fragments_and_cut_with_them()
    {
        const int Keys = 20;
        using var watch = await WatchAsync(
            new WatchCreateRequest { Key = Bytes("6.8"), RangeEnd = Bytes("6.9") },
            new WatchCreateRequest { Key = Bytes("6.8"), RangeEnd = Bytes("6.9"), Fragment = true, PrevKv = true });
        await watch.NextAsync();
        await watch.NextAsync();
        for (var i = 0; i < Keys; i++)
        {
            await _etcd.PutAsync($"6.8/{i:00}", new string('x', 200_000));
        }

        var told = new int[2];
        while (told.Sum() < 2 * Keys)
        {
            var response = await watch.NextAsync();
            told[response.WatchId] += response.Events.Count;
        }

        await _etcd.DeleteAsync("6.8", "6.9");
        var fragments = new List<WatchResponse>();
        WatchResponse? whole = null;
        while (whole is null || fragments.Count == 0 || fragments[^1].Fragment)
        {
            var response = await watch.NextAsync();
            if (response.WatchId == 0)
            {
                whole = response;
            }
            else
            {
                fragments.Add(response);
            }
        }

        Assert.Equal(Keys, whole.Events.Count);
        Assert.True(fragments.Count > 1);
        Assert.Equal(
            whole.Events.Select(happened => happened.Kv.Key),
            fragments.SelectMany(part => part.Events).Select(happened => happened.Kv.Key));
        Assert.All(fragments.SkipLast(1), part => Assert.True(part.Fragment));
        Assert.All(fragments, part => Assert.InRange(part.CalculateSize(), 1, (1536 + 64) * 1024));
    }

    [Fact]
    public async Task Etcd_6_9_and_6_10_events_tell_the_row_and_a_delete_the_key_and_its_revision()
    {
        var created = (await _etcd.PutAsync("6.10", "1")).Header.Revision;
        await _etcd.PutAsync("6.10", "2");
        var deleted = (await _etcd.DeleteAsync("6.10")).Header.Revision;
        using var watch = await WatchAsync(new WatchCreateRequest { Key = Bytes("6.10"), StartRevision = created });
        await watch.NextAsync();
        var events = new List<Event>();
        while (events.Count < 3)
        {
            var response = await watch.NextAsync();
            events.AddRange(response.Events);
            Assert.True(response.Header.Revision >= events[^1].Kv.ModRevision);
        }

        Assert.Equal(events[0].Kv.CreateRevision, events[0].Kv.ModRevision);
        Assert.Equal((created, 2, "2"), (events[1].Kv.CreateRevision, events[1].Kv.Version, Text(events[1].Kv.Value)));
        Assert.Equal(new KeyValue { Key = Bytes("6.10"), ModRevision = deleted }, events[2].Kv);
    }

    [Fact]
    public async Task Etcd_6_11_the_previous_row_is_told_but_for_a_creation()
    {
        var start = (await _etcd.PutAsync("6.11", "1")).Header.Revision;
        await _etcd.PutAsync("6.11", "2");
        await _etcd.DeleteAsync("6.11");
        await _etcd.PutAsync("6.11", "3");
        using var watch = await WatchAsync(
            new WatchCreateRequest { Key = Bytes("6.11"), StartRevision = start, PrevKv = true });
        var previous = (await EventsAsync(watch, 4))
            .Select(happened => happened.PrevKv?.Value is { } value ? Text(value) : null);
        Assert.Equal([null, "1", "2", null], previous);
    }

    [Fact]
    public async Task Etcd_6_12_what_is_filtered_makes_no_empty_message()
    {
        using var watch = await WatchAsync(
            new WatchCreateRequest
            {
                Key = Bytes("6.12"),
                Filters = { WatchCreateRequest.Types.FilterType.Noput },
            },
            new WatchCreateRequest
            {
                Key = Bytes("6.12"),
                Filters = { WatchCreateRequest.Types.FilterType.Nodelete },
            });
        await watch.NextAsync();
        await watch.NextAsync();
        await _etcd.PutAsync("6.12", "x");
        var put = await watch.NextAsync();
        await _etcd.DeleteAsync("6.12");
        var delete = await watch.NextAsync();
        Assert.Equal((1, Event.Types.EventType.Put), (put.WatchId, Assert.Single(put.Events).Type));
        Assert.Equal((0, Event.Types.EventType.Delete), (delete.WatchId, Assert.Single(delete.Events).Type));
    }

    [Fact]
    public async Task Etcd_6_13_a_cancelled_watcher_is_confirmed_once_an_unknown_one_is_not()
    {
        using var watch = await WatchAsync(new WatchCreateRequest { Key = Bytes("6.13") });
        await watch.NextAsync();
        await watch.WriteAsync(new WatchRequest { CancelRequest = new WatchCancelRequest { WatchId = 99 } });
        await watch.WriteAsync(new WatchRequest { CancelRequest = new WatchCancelRequest { WatchId = 0 } });
        var cancelled = await watch.NextAsync();
        Assert.Equal((true, 0, ""), (cancelled.Canceled, cancelled.WatchId, cancelled.CancelReason));
        await _etcd.PutAsync("6.13", "x");
        await watch.WriteAsync(new WatchRequest { CreateRequest = new WatchCreateRequest { Key = Bytes("6.13") } });
        Assert.True((await watch.NextAsync()).Created);
    }

    [Fact]
    public async Task Etcd_6_14_a_watcher_that_asks_for_it_hears_how_far_it_is()
    {
        using var watch = await WatchAsync(
            new WatchCreateRequest { Key = Bytes("6.14"), ProgressNotify = true, WatchId = 5 });
        await watch.NextAsync();
        var revision = (await _etcd.PutAsync("6.14else", "x")).Header.Revision;
        var told = await watch.NextAsync();
        Assert.Equal((5, 0, false, false), (told.WatchId, told.Events.Count, told.Created, told.Canceled));
        Assert.Equal(revision, told.Header.Revision);
    }

    [Fact]
    public async Task Etcd_6_15_asked_for_progress_never_overtakes_events()
    {
        using var watch = await WatchAsync(new WatchCreateRequest { Key = Bytes("6.15"), RangeEnd = Bytes("6.16") });
        await watch.NextAsync();
        for (var round = 0; round < 50; round++)
        {
            var writing = _etcd.PutAsync($"6.15/{round}", "x");
            await watch.WriteAsync(new WatchRequest { ProgressRequest = new WatchProgressRequest() });
            var revision = (await writing).Header.Revision;
            var told = new[] { await watch.NextAsync(), await watch.NextAsync() };
            var place = Array.FindIndex(told, response => response.Events.Count > 0);
            Assert.Equal(revision, Assert.Single(told[place].Events).Kv.ModRevision);
            var progress = told[1 - place];
            Assert.Equal((-1, 0), (progress.WatchId, progress.Events.Count));
            Assert.True(place == 0 || progress.Header.Revision < revision);
        }
    }

    [Fact]
    public async Task Etcd_6_16_watchers_outlive_the_callers_half_of_the_stream()
    {
        using var watch = await WatchAsync(new WatchCreateRequest { Key = Bytes("6.16") });
        watch.EndRequests();
        Assert.True((await watch.NextAsync()).Created);
        await _etcd.PutAsync("6.16", "x");
        Assert.Single((await watch.NextAsync()).Events);
    }

    [Fact]
    public async Task Etcd_6_19_a_caller_that_reads_nothing_does_not_stop_the_others()
    {
        using var slow = await WatchAsync(new WatchCreateRequest { Key = Bytes("6.19") });
        using var quick = await WatchAsync(new WatchCreateRequest { Key = Bytes("6.19") });
        await slow.NextAsync();
        await quick.NextAsync();
        var value = new string('x', 100_000);
        var last = 0L;
        for (var i = 0; i < 100; i++) // 10 MB, far more than a stream's window.
        {
            last = (await _etcd.PutAsync("6.19", value)).Header.Revision;
            Assert.Equal(last, (await quick.NextAsync()).Events.Single().Kv.ModRevision);
        }

        var late = await EventsAsync(slow, 100);
        Assert.Equal(100, late.Select(happened => happened.Kv.ModRevision).Distinct().Count());
    }

    [Fact]
    public async Task Etcd_6_21_a_request_that_asks_for_nothing_is_passed_over()
    {
        using var watch = await _etcd.WatchAsync();
        await watch.WriteAsync(new WatchRequest());
        await watch.WriteAsync(new WatchRequest { CreateRequest = new WatchCreateRequest { Key = Bytes("6.21") } });
        Assert.True((await watch.NextAsync()).Created);
    }

    [Fact]
    public async Task Etcd_6_22_a_thousand_streams_and_ten_thousand_watchers_hear_of_a_key()
    {
        const int PerStream = 10_000;
        using var many = await _etcd.WatchAsync();
        for (var i = 0; i < PerStream; i++)
        {
            await many.WriteAsync(new WatchRequest { CreateRequest = new WatchCreateRequest { Key = Bytes("6.22") } });
        }

        for (var i = 0; i < PerStream; i++)
        {
            Assert.Equal(i, (await many.NextAsync()).WatchId);
        }

        var streams = new List<GrpcStream<WatchResponse>>();
        for (var i = 0; i < 1_000; i++)
        {
            streams.Add(await WatchAsync(new WatchCreateRequest { Key = Bytes("6.22") }));
        }

        foreach (var stream in streams)
        {
            Assert.True((await stream.NextAsync()).Created);
        }

        await _etcd.PutAsync("6.22", "x");
        var told = new HashSet<long>();
        while (told.Count < PerStream)
        {
            Assert.True(told.Add((await many.NextAsync()).WatchId));
        }

        foreach (var stream in streams)
        {
            Assert.Single((await stream.NextAsync()).Events);
            stream.Dispose();
        }
    }

    [Fact]
    public async Task A_stream_that_sends_what_is_no_message_ends_with_a_status()
    {
        using var watch = await WatchAsync(new WatchCreateRequest { Key = Bytes("bad") });
        await watch.NextAsync();
        await watch.WriteRawAsync([0, 0, 0, 0, 2, 0xFF, 0xFF]);
        var failure = await Assert.ThrowsAsync<GrpcException>(watch.ReadAsync);
        Assert.Equal(GrpcStatusCode.Internal, failure.Code);
    }

    [Fact]
    public async Task A_stream_ends_when_its_own_time_is_over()
    {
        using var watch = await _etcd.WatchAsync(("grpc-timeout", "300m"));
        await watch.WriteAsync(new WatchRequest { CreateRequest = new WatchCreateRequest { Key = Bytes("timeout") } });
        var failure = await Assert.ThrowsAsync<GrpcException>(async () =>
        {
            while (true)
            {
                await watch.NextAsync(); // That it was made may come in time or not.
            }
        });
        Assert.Equal((GrpcStatusCode.DeadlineExceeded, "context deadline exceeded"), (failure.Code, failure.Detail));
    }

    private async Task<GrpcStream<WatchResponse>> WatchAsync(params WatchCreateRequest[] creates)
    {
        var stream = await _etcd.WatchAsync();
        foreach (var create in creates)
        {
            await stream.WriteAsync(new WatchRequest { CreateRequest = create });
        }

        return stream;
    }

    private static async Task<List<Event>> EventsAsync(GrpcStream<WatchResponse> stream, int count)
    {
        var events = new List<Event>();
        while (events.Count < count)
        {
            events.AddRange((await stream.NextAsync()).Events);
        }

        return events;
    }
}
