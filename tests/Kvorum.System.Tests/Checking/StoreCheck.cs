using System.Text.Json;
using Kvorum.SystemTests.Running;

namespace Kvorum.SystemTests.Checking;

/// <summary>What must be true after every fault, on every running node.</summary>
public static class StoreCheck
{
    private const int PageItems = 5000;

    /// <summary>
    /// Every acknowledged write is readable on every running node, linearizably and (all caught up) locally; each
    /// acknowledged item is in its list once; nothing is there that was not sent; equal state at equal applied index.
    /// </summary>
    public static async Task HoldsAsync(Cluster cluster, Load load)
    {
        await cluster.LeaderAsync();
        await cluster.ConvergeAsync();
        foreach (var node in cluster.Running)
        {
            foreach (var consistency in new[] { "linearizable", "local" })
            {
                var place = $"{node.Name}, {consistency}";
                CheckPuts(load, await ReadAllAsync(node, Load.KeyPrefix, consistency), place);
                CheckLists(load, await ReadAllAsync(node, Load.ListPrefix, consistency), place);
            }
        }
    }

    private static void CheckPuts(Load load, Dictionary<string, string> found, string place)
    {
        foreach (var (key, value) in load.Puts)
        {
            Assert.True(found.TryGetValue(key, out var there), $"Acknowledged key {key} is missing on {place}.");
            Assert.True(there == value, $"Acknowledged key {key} on {place}: expected '{value}', found '{there}'.");
        }

        foreach (var (key, value) in found)
        {
            Assert.True(load.Sent.TryGetValue(key, out var sent) && sent == value, $"Nobody wrote {key} on {place}.");
        }
    }

    private static void CheckLists(Load load, Dictionary<string, string> found, string place)
    {
        var lists = new Dictionary<string, HashSet<string>>();
        foreach (var (key, json) in found)
        {
            var items = JsonSerializer.Deserialize<string[]>(json) ?? [];
            var once = lists[key] = [];
            foreach (var item in items)
            {
                Assert.True(once.Add(item), $"Item {item} was applied twice to {key} on {place}.");
                Assert.True(load.Sent.TryGetValue(item, out var list) && list == key, $"Nobody sent {item} to {key}.");
            }
        }

        foreach (var (item, list) in load.Items)
        {
            Assert.True(
                lists.TryGetValue(list, out var items) && items.Contains(item),
                $"Acknowledged item {item} is missing from {list} on {place}.");
        }
    }

    /// <summary>All keys with a prefix, page by page at one revision.</summary>
    private static async Task<Dictionary<string, string>> ReadAllAsync(ClusterNode node, string prefix, string consistency)
    {
        var all = new Dictionary<string, string>();
        var first = $"/v1/kv?prefix={Uri.EscapeDataString(prefix)}&limit={PageItems}&consistency={consistency}";
        for (var path = first; path is not null;)
        {
            var (status, body) = await node.SendAsync(HttpMethod.Get, path);
            Assert.True(status == 200, $"GET {path} on {node.Name}: {status} {body}");
            using var page = JsonDocument.Parse(body);
            foreach (var item in page.RootElement.GetProperty("items").EnumerateArray())
            {
                all.Add(item.GetProperty("key").GetString() ?? "", item.GetProperty("value").GetString() ?? "");
            }

            var next = page.RootElement.GetProperty("next").GetString();
            path = next is null ? null : $"{first}&cursor={Uri.EscapeDataString(next)}";
        }

        return all;
    }
}
